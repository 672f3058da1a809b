"""OpenCV's VideoCapture as a `Source`. The only file that knows it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from platefleet.agent.cameras.port import MOST_PIXELS, Raw, Skipped
from platefleet.agent.cameras.secrets import hide
from platefleet.models.detections import Frame
from platefleet.protocol.errors import CameraError

MOST_BAD_FRAMES = 30
"""Frames in a row that cannot be used before a stream is given up: about a second of video."""

MOST_FAILED_READS = 3
"""A broken frame and the end of a stream look alike; at the end reading again fails at once, again."""


class Capture:
    """An opened VideoCapture. For one thread."""

    def __init__(
        self, target: str, backend: int, parameters: Sequence[int] = (), *, name: str = "", timed: bool = True
    ) -> None:
        """Open `target` with one of OpenCV's backends. Raises CameraError if it cannot be opened.

        name: what errors call it; the target without secrets if empty. timed: its timestamps can be believed.
        """
        self._name = name or hide(target)
        self._timed = timed
        try:
            self._capture = cv2.VideoCapture(target, backend, list(parameters))
        except cv2.error as error:
            raise CameraError(f"{self._name}: cannot be opened ({hide(str(error.err))}); check the camera") from error
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraError(f"{self._name}: cannot be opened; check that it is there and gives video")
        self._bad = 0
        self._behind_a_failure: tuple[bool, NDArray[np.generic]] | None = None

    @property
    def fps(self) -> float:
        """Frames per second as the stream claims; 0 where it says nothing (or nonsense)."""
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        return fps if 0 < fps <= 1000 else 0.0

    def read(self) -> Raw | Skipped | None:
        """Wait for the next frame; None when the stream has ended or broke off. Raises CameraError."""
        try:
            there, frame = self._behind_a_failure or self._capture.read()
            self._behind_a_failure = None
            if not there:
                return self._failed_or_over()
        except cv2.error as error:
            return self._skip(f"{self._name}: a frame could not be decoded ({hide(str(error.err))})")
        why = unusable(frame)
        if why:
            return self._skip(f"{self._name}: {why}")
        self._bad = 0
        if not self._timed:
            return Raw(bgr(frame), None)
        position_ms = float(self._capture.get(cv2.CAP_PROP_POS_MSEC))
        return Raw(bgr(frame), round(position_ms * 1e6) if 0 < position_ms < 1e13 else None)

    def close(self) -> None:
        """Give back the decoder; safe to call twice."""
        self._capture.release()

    def _failed_or_over(self) -> Skipped | None:
        """Look behind a read that failed: a frame there means that one was broken, nothing there is the end."""
        for _ in range(MOST_FAILED_READS):
            there, frame = self._capture.read()
            if there:
                self._behind_a_failure = (there, frame)
                return Skipped(f"{self._name}: a frame could not be decoded")
        return None

    def _skip(self, why: str) -> Skipped:
        self._bad += 1
        if self._bad >= MOST_BAD_FRAMES:
            raise CameraError(f"{why}, {self._bad} times in a row; check the camera's encoding")
        return Skipped(why)


def unusable(frame: NDArray[np.generic] | None) -> str:
    """Return why a decoded array is no frame, or nothing if it is one.

    >>> unusable(np.zeros((0, 0, 3), np.uint8))
    'a frame of 0x0 pixels'
    """
    if frame is None:
        return "an empty frame"
    if frame.dtype != np.uint8 or frame.ndim not in {2, 3} or (frame.ndim == 3 and frame.shape[2] not in {1, 3, 4}):
        return f"a frame of shape {frame.shape} and type {frame.dtype}, not 8-bit gray or colour"
    height, width = frame.shape[:2]
    if height < 1 or width < 1:
        return f"a frame of {width}x{height} pixels"
    if height * width > MOST_PIXELS:
        return f"a frame of {width}x{height} pixels, more than {MOST_PIXELS // 1_000_000} million"
    return ""


def bgr(usable: NDArray[np.generic]) -> Frame:
    """Return a usable frame as (height, width, 3) uint8 BGR: gray and transparent ones are converted."""
    frame = np.asarray(usable, np.uint8)
    if frame.ndim == 2 or frame.shape[2] == 1:
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR), np.uint8)
    if frame.shape[2] == 4:
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGRA2BGR), np.uint8)
    return frame
