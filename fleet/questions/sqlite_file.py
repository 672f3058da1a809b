"""An SQLite file opened for reading alone: beside a running ingest, or as it lies where nobody writes it.

A store in write-ahead mode needs its `-shm` file even for reading, and a user who may not write the folder cannot make
it. While ingest runs it is there; otherwise there is no log either, and the file is read as it lies (`immutable`).
SQLite then sees no change, so every snapshot opens anew and is held good only if the file is the same at its end.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

BUSY_TIMEOUT_S = 2.0
"""A reader waits for a writer only while the log is being set up or folded in."""
Look = tuple[int, int, int, int]


class SqliteFile:
    """One store's file. lies: whether the newest connection reads it as it lies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._look: Look | None = None

    @property
    def lies(self) -> bool:
        """Whether the newest connection takes the file as unchangeable."""
        return self._look is not None

    def connect(self) -> sqlite3.Connection:
        """Open the file. Raises sqlite3.Error, FileNotFoundError."""
        look, self._look = self._seen(), None
        try:
            return self._open("")
        except sqlite3.OperationalError:
            if self._logged():
                raise
            connection = self._open("&immutable=1")
            self._look = look
            return connection

    def changed(self) -> bool:
        """Whether what was read as it lies is that no longer."""
        with suppress(OSError):
            return self.lies and (self._logged() or self._seen() != self._look)
        return True

    def _open(self, how: str) -> sqlite3.Connection:
        where = f"file:{quote(str(self._path))}?mode=ro{how}"
        connection = sqlite3.connect(where, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            connection.execute("PRAGMA query_only=ON")
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _seen(self) -> Look:
        found = self._path.stat()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def _logged(self) -> bool:
        return self._path.with_name(self._path.name + "-wal").exists()
