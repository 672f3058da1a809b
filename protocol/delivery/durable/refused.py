"""The one border to SQLite and the disk: whatever they refuse becomes `DiskRefused`, with what can be done about it."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from platefleet.protocol.errors import OutboxError

_SAID = (
    ("disk is full", "the disk is full; free some space"),
    ("readonly", "the disk is read-only; mount it writable"),
    ("read-only", "the disk is read-only; mount it writable"),
    ("malformed", "the database is damaged; it is kept beside and a new one begun"),
    ("not a database", "the database is damaged; it is kept beside and a new one begun"),
    ("disk I/O error", "the disk fails; check it and the kernel's log"),
    ("unable to open", "it cannot be opened; check the folder and its owner"),
)
_STAYS = ("disk is full", "database is locked")
"""After these the connection goes on as if nothing had been asked; after any other the database is opened anew."""

_BROKEN = ("malformed", "not a database", "no such table", "has no column", "no such column")

REFUSALS = (UnicodeError, sqlite3.Error, OSError)
"""What SQLite and the system raise."""


class DiskRefused(OutboxError):
    """The disk does not take or give what was asked.

    again: the database must be opened anew before it is tried again. broken: it is damaged and of no use as it is.
    """

    def __init__(self, sentence: str, *, again: bool, broken: bool = False) -> None:
        super().__init__(sentence)
        self.again = again
        self.broken = broken


class refusing:  # noqa: N801  # used as a word
    """Turn what SQLite and the system refuse into `DiskRefused`."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, REFUSALS):
            raise refusal(self._path, error) from error


def refusal(path: Path, error: UnicodeError | sqlite3.Error | OSError) -> DiskRefused:
    """Return what one of `REFUSALS` means."""
    quoted = isinstance(error, sqlite3.Error) and not str(error)  # Python 3.10 leaves out a sentence it cannot decode
    if quoted or isinstance(error, UnicodeError):  # SQLite's sentence quotes a damaged schema
        return DiskRefused(f"{path}: the database is damaged.", again=True, broken=True)
    if isinstance(error, sqlite3.Error):
        said = str(error)
        what = next((sentence for words, sentence in _SAID if words in said), f"SQLite says: {said}")
        again = not any(words in said for words in _STAYS)
        return DiskRefused(f"{path}: {what}.", again=again, broken=any(words in said for words in _BROKEN))
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    what = "the disk is full; free some space" if full else f"{error.strerror}; check the disk and its owner"
    return DiskRefused(f"{path}: {what}.", again=True)
