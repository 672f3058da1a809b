"""One process at a time: `flock` on a file, which holds the process's id."""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

LOG = logging.getLogger(__name__)


class Taken(Exception):
    """Another process has the lock. Its text says who, for a sentence."""


class ProcessLock:
    """A lock that ends with its process, however that ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock; its folder is made. Raises Taken, and OSError where no file can be made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise Taken(f"process {holder}" if holder.isdigit() else "another process") from error
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError as error:  # a full disk; the lock holds without the number
            LOG.warning("%s: %s", path, error)

    def release(self) -> None:
        """Give the lock back. The file stays: deleting it would let two hold it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
