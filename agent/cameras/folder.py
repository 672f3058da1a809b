"""A folder of pictures as a camera: in the order of their names, at a fixed rate."""

from __future__ import annotations

from pathlib import Path

from platefleet.agent.cameras.capture import unusable
from platefleet.agent.cameras.file import Paced
from platefleet.agent.cameras.port import Raw, Skipped, Source
from platefleet.models.errors import PictureError
from platefleet.models.pictures import PICTURE_SUFFIXES, read_picture
from platefleet.protocol.errors import CameraError


class Folder:
    """The pictures of a folder, its own only; one that cannot be read is skipped and told."""

    def __init__(self, path: Path, *, fps: float, loop: bool) -> None:
        """List the pictures. Raises CameraError for a folder that is not there or holds none."""
        try:
            self._paths = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES)
        except OSError as error:
            raise CameraError(f"{path}: cannot be listed ({error.strerror}); check the camera's path") from error
        if not self._paths:
            raise CameraError(f"{path}: holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))}); check the path")
        self._path, self._fps, self._loop = path, fps, loop
        self._next = 0
        self._shown = 0

    @property
    def fps(self) -> float:
        """Pictures per second, as configured."""
        return self._fps

    def read(self) -> Raw | Skipped | None:
        """Return the next picture, or None after the last. Raises CameraError if a loop found none to show."""
        if self._next and self._next % len(self._paths) == 0:
            if self._shown == 0:
                raise CameraError(f"{self._path}: none of its {len(self._paths)} pictures can be read; replace them")
            if not self._loop:
                return None
        path = self._paths[self._next % len(self._paths)]
        position_ns = round(self._next * 1e9 / self._fps)
        self._next += 1
        try:
            frame = read_picture(path)
        except PictureError as error:
            return Skipped(str(error))
        why = unusable(frame)
        if why:
            return Skipped(f"{path}: {why}; scale it down")
        self._shown += 1
        return Raw(frame, position_ns)

    def close(self) -> None:
        """Nothing is held."""


def open_folder(path: str, *, fps: float = 10.0, loop: bool = False, real_time: bool = True) -> Source:
    """Open a folder of pictures; real_time: at `fps`, else as fast as they are taken. Raises CameraError."""
    folder = Folder(Path(path), fps=fps, loop=loop)
    return Paced(folder) if real_time else folder
