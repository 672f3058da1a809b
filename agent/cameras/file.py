"""A video file as a camera: at its own speed, or every frame as fast as it is taken."""

from __future__ import annotations

import time
from pathlib import Path

import cv2

from platefleet.agent.cameras.capture import Capture
from platefleet.agent.cameras.port import Raw, Skipped, Source
from platefleet.protocol.errors import CameraError

DEFAULT_FPS = 25.0
"""For files that do not say; what PAL has."""
MOST_PAUSE_S = 5.0
"""No single frame of a file is waited for longer, whatever its timestamps say."""


class VideoFile:
    """A video file's frames with their times from its start, again from the start if it loops."""

    def __init__(self, path: Path, *, loop: bool = False) -> None:
        """Open the file. Raises CameraError if it is not there or no video."""
        if not path.exists():
            raise CameraError(f"{path}: there is no such file; check the camera's path")
        self._path, self._loop = path, loop
        self._capture = Capture(str(path), cv2.CAP_FFMPEG)
        self._frame_ns = round(1e9 / (self._capture.fps or DEFAULT_FPS))
        self._position_ns = -self._frame_ns
        self._round_began_ns = 0
        self._in_round = 0

    @property
    def fps(self) -> float:
        """Frames per second as the file claims; 0 where it says nothing."""
        return self._capture.fps

    def read(self) -> Raw | Skipped | None:
        """Return the next frame, its position rising over the rounds of a loop; None at the end. Raises CameraError."""
        raw = self._capture.read()
        if raw is None and self._loop and self._in_round:
            self._capture.close()
            self._capture = Capture(str(self._path), cv2.CAP_FFMPEG)
            self._round_began_ns, self._in_round = self._position_ns + self._frame_ns, 0
            raw = self._capture.read()
        if not isinstance(raw, Raw):
            return raw
        self._position_ns = self._next_position_ns(raw.position_ns)
        self._in_round += 1
        return Raw(raw.frame, self._position_ns)

    def close(self) -> None:
        """Give back the decoder."""
        self._capture.close()

    def _next_position_ns(self, told_ns: int | None) -> int:
        """Return the file's own time if it rises, else one frame after the last: some files carry no times."""
        if self._in_round == 0:
            return self._round_began_ns + (told_ns or 0)
        if told_ns is not None and self._round_began_ns + told_ns > self._position_ns:
            return self._round_began_ns + told_ns
        return self._position_ns + self._frame_ns


class Paced:
    """A source slowed down to its own timestamps; one that is late is not slowed."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._began: tuple[int, int] | None = None

    @property
    def fps(self) -> float:
        """Frames per second as the stream claims."""
        return self._source.fps

    def read(self) -> Raw | Skipped | None:
        """Return the next frame when its time has come. Raises CameraError."""
        raw = self._source.read()
        if isinstance(raw, Raw) and raw.position_ns is not None:
            if self._began is None:
                self._began = (time.monotonic_ns(), raw.position_ns)
            due_ns = self._began[0] + raw.position_ns - self._began[1]
            time.sleep(min(max(0.0, (due_ns - time.monotonic_ns()) / 1e9), MOST_PAUSE_S))
        return raw

    def close(self) -> None:
        """Give back the source."""
        self._source.close()


def open_file(path: str, *, loop: bool = False, real_time: bool = True) -> Source:
    """Open a video file; real_time: no faster than it was filmed. Raises CameraError."""
    video = VideoFile(Path(path), loop=loop)
    return Paced(video) if real_time else video
