"""Cameras on this machine's own bus (USB, CSI with a V4L2 driver)."""

from __future__ import annotations

from pathlib import Path

import cv2

from platefleet.agent.cameras.capture import Capture
from platefleet.protocol.errors import CameraError


def open_v4l2(device: str, *, width: int | None = None, height: int | None = None, fps: float | None = None) -> Capture:
    """Open a device such as /dev/video0; size and rate are wishes that the driver may round. Raises CameraError."""
    if not Path(device).exists():
        raise CameraError(f"{device}: there is no such device; `ls /dev/video*` shows the cameras that are there")
    parameters: list[int] = []
    for key, value in (
        (cv2.CAP_PROP_FRAME_WIDTH, width),
        (cv2.CAP_PROP_FRAME_HEIGHT, height),
        (cv2.CAP_PROP_FPS, fps),
    ):
        if value is not None:
            parameters += [key, round(value)]
    return Capture(device, cv2.CAP_V4L2, parameters)
