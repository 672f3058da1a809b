"""The store's database as something that is killed, copied and restored."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol


class Database(Protocol):
    """A database with a process of its own."""

    @property
    def address(self) -> str: ...

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def copy(self, to: Path) -> None:
        """Copy it while it is down."""
        ...

    def restore(self, copy: Path) -> None:
        """Put a copy in its place while it is down."""
        ...


class SqliteFile:
    """A database in ingest's own process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.address = f"sqlite:///{path}"

    def start(self) -> None:
        return

    def kill(self) -> None:
        return

    def copy(self, to: Path) -> None:
        _copy(self._path, to)

    def restore(self, copy: Path) -> None:
        _copy(copy / self._path.name, self._path.parent)


def _copy(path: Path, to: Path) -> None:
    """Copy a database file that nobody has open, with its journal."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        (to / f"{path.name}{suffix}").unlink(missing_ok=True)
        part = path.with_name(path.name + suffix)
        if part.exists():
            shutil.copy2(part, to / part.name)
