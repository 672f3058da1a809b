"""The one border of everything that is done in SQLite: whatever it raises leaves as a StoreError with what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from platefleet.fleet.store.errors import ForeignDatabase, StoreAway, Unstorable
from platefleet.protocol.errors import StoreError

ENVIRONMENT = "PLATEFLEET_INGEST_DATABASE"
"""The variable that stands for `--database` (see `options.py`, which imports nothing)."""
NO_DATABASE = "not a database"
"""Somebody's file of another kind: waiting does not mend that, unlike the others."""
_REMEDIES = (
    ("locked", "is locked by another program", "it is asked again until that program is done"),
    ("full", "cannot grow: the disk is full", "free some space"),
    ("readonly", "cannot be written", "give this user write permission to the file and its folder"),
    ("malformed", "is damaged", "restore it from a backup; devices fill in what the backup lacks"),
    (NO_DATABASE, "is no SQLite database", "name another file"),
    ("unable to open", "cannot be opened", "its folder must exist and be writable for this user"),
    ("disk i/o", "cannot be read or written", "check the disk"),
)
"""What SQLite's message contains, what that means, what to do (source: sqlite3_errstr in sqlite/src/main.c)."""


def store_error(error: BaseException, path: Path) -> StoreError | None:
    """Return what `error` means for the store in `path`; None for one that is not about it."""
    match error:
        case FileNotFoundError():
            return StoreAway(f"store {path}: the file is gone; put it back, or start ingest again for an empty one.")
        case DBAPIError() if isinstance(error.orig, sqlite3.OperationalError | sqlite3.DatabaseError):
            if isinstance(error.orig, sqlite3.IntegrityError | sqlite3.DataError | sqlite3.InterfaceError):
                return _unstorable(error, path)
            return _away(str(error.orig), path)
        case SQLAlchemyError() | OverflowError() | UnicodeError():
            return _unstorable(error, path)
        case sqlite3.Error() | OSError():
            return _away(str(error), path)
        case _:
            return None


def not_there(path: Path) -> StoreAway:
    """Return what to tell a person who asks for a store in a file that is not there."""
    return StoreAway(f"store {path}: there is no such file; name the store with --database or {ENVIRONMENT}.")


def backup_error(error: Exception, file: Path) -> StoreError:
    """Return what `error` means for a backup in `file` that is to be read."""
    said = str(error).lower()
    for part, sentence in (
        ("malformed", "is damaged; restore another one."),
        (NO_DATABASE, "is no SQLite database; name what `platefleet fleet backup` wrote."),
    ):
        if part in said:
            return StoreError(f"backup {file}: {sentence}")
    return StoreError(f"backup {file}: cannot be read ({error}); let this user read it, or name another one.")


def _away(said: str, path: Path) -> StoreAway:
    for part, meaning, remedy in _REMEDIES:
        if part in said.lower():
            kind = ForeignDatabase if part == NO_DATABASE else StoreAway
            return kind(f"store {path}: {meaning}; {remedy}.")
    return StoreAway(f"store {path}: {said}; see what SQLite says of it.")


def _unstorable(error: Exception, path: Path) -> Unstorable:
    return Unstorable(f"store {path}: the database refuses a row of the batch ({error}); report this.")
