"""What the cameras see now, for `snapshot`. The newest picture of each lane is only referred to, never copied."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from platefleet.agent.lane import Worked
from platefleet.models.detections import Frame
from platefleet.models.operations.port import NotNow
from platefleet.protocol.errors import CameraError
from platefleet.protocol.ids import LaneId

QUALITIES = (85, 70, 55, 40)
LEAST_SIDE = 160


class Cameras:
    """`watch` is an observer of every lane."""

    def __init__(self, lanes: Sequence[LaneId]) -> None:
        self._lanes = tuple(lanes)
        self._newest: dict[LaneId, Frame] = {}
        self._lock = threading.Lock()

    def watch(self, worked: Worked) -> None:
        """Remember the lane's newest picture."""
        with self._lock:
            self._newest[worked.lane] = worked.picture.frame

    def pictures(self, lanes: Sequence[str], most_bytes: int) -> dict[str, bytes]:
        """Return a JPEG of each lane (none named: all), together at most so many bytes.

        Raises CameraError for a lane that is none, NotNow for one that has given no picture yet.
        """
        unknown = sorted(set(lanes) - set(self._lanes))
        if unknown:
            raise CameraError(f"{', '.join(unknown)}: is no lane of this device; it has {', '.join(self._lanes)}")
        chosen = tuple(lanes) or self._lanes
        with self._lock:
            frames = {lane: self._newest.get(lane) for lane in chosen}
        missing = [lane for lane, frame in frames.items() if frame is None]
        if missing:
            raise NotNow(f"{', '.join(missing)}: no picture came yet; see `platefleet agent check`")
        share = most_bytes // len(chosen)
        return {lane: jpeg_within(frame, share) for lane, frame in frames.items() if frame is not None}


def jpeg_within(frame: Frame, most_bytes: int) -> bytes:
    """Return a JPEG of at most so many bytes: less quality first, then a smaller picture. Raises CameraError."""
    picture: np.ndarray[Any, Any] = frame
    while True:
        for quality in QUALITIES:
            done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if done and data.size <= most_bytes:
                return data.tobytes()
        height, width = picture.shape[:2]
        shrink = min(0.7, math.sqrt(most_bytes / max(data.size, 1)))
        if min(height, width) * shrink < LEAST_SIDE:
            raise CameraError(f"no picture fits into {most_bytes} bytes; ask for fewer lanes at once")
        picture = cv2.resize(picture, (round(width * shrink), round(height * shrink)), interpolation=cv2.INTER_AREA)
