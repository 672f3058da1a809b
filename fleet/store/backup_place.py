"""Where a backup may be written: over nothing that is not an earlier backup of the same store."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from platefleet.fleet.store.sqlite_copy import SIDES, as_it_lies, in_use
from platefleet.protocol.errors import StoreError

DUMP = b"PGDMP"
"""How an archive of pg_dump's custom format begins (source: PostgreSQL 15, pg_backup_archiver.c)."""


_ID_OF = {"store": "SELECT id FROM store", "console": "SELECT id FROM console"}


def require_place(file: Path, store: Path | None, store_id: str, *, replace: bool, kind: str = "store") -> None:
    """Raise StoreError unless a backup of the store may be written to `file`.

    store: the store's own file, for SQLite. replace: a person said that a file of something else may be replaced.
    kind: what is backed up, `store` or `console`; so its table is called that holds its id.
    """
    if store is not None and is_the_store(file, store):
        raise StoreError(f"backup {file}: is the {kind} itself or belongs to it; name another file.")
    try:
        found = os.stat(file)
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_be_written(file, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"backup {file}: is no regular file; name a file that is there, or none yet.")
    beside = next((side for side in _sides(file) if side.exists()), None)
    if beside is not None:
        raise StoreError(f"backup {file}: {beside.name} lies beside it, so a program has it open; name another file.")
    if not replace:
        _require_earlier(file, store_id, kind)


def require_own(store: Path, file: Path) -> None:
    """Raise StoreError where a sound database of something else, or records of another store, are in the place.

    It is left as it is, even its journal mode. What cannot be read is no such: a backup is there to take its place.
    """
    try:
        with closing(in_use(store)) as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not names:
                return
            held = connection.execute("SELECT id FROM store").fetchone() if "store" in names else None
            records = "coverage" in names and connection.execute("SELECT 1 FROM coverage LIMIT 1").fetchone()
    except (sqlite3.Error, OSError):
        return
    what = ""
    if not {"store", "coverage"} & names:
        what = "a database of something else"
    elif held and records and id_in(file) not in ("", held[0]):
        what = f"store {held[0]}, and the backup is of {id_in(file)}"
    if what:
        raise StoreError(f"store {store}: {what}; name another one, or add --foreign to replace it by {file}.")


def is_the_store(file: Path, store: Path) -> bool:
    """Return whether `file` is the store's own file or one of those that SQLite keeps beside it, by whatever name."""
    return any(_same(file, own) for own in (store, *_sides(store)))


def cannot_be_written(file: Path, why: object) -> StoreError:
    """Return what to say of a backup for which there is no place."""
    return StoreError(f"backup {file}: cannot be written ({why}); name a file in a folder with room and rights.")


@contextmanager
def written_beside(file: Path) -> Iterator[Path]:
    """Yield a new file beside `file`, which takes its place once it is whole and on the disk. Raises StoreError."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with part.open("xb"):
            pass
    except OSError as error:
        raise cannot_be_written(file, error.strerror) from error
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(file)
    except OSError as error:
        raise cannot_be_written(file, error.strerror) from error
    finally:
        for left in (part, *_sides(part)):
            left.unlink(missing_ok=True)


def _require_earlier(file: Path, store_id: str, kind: str) -> None:
    try:
        with file.open("rb") as opened:
            begins = opened.read(16)
    except OSError as error:
        raise cannot_be_written(file, error.strerror) from error
    if begins.startswith(DUMP):
        return
    held = id_in(file, kind) if begins.startswith(b"SQLite format 3") else ""
    if not held:
        raise StoreError(f"backup {file}: is no earlier backup; name another file, or add --yes to replace it.")
    if held != store_id:
        raise StoreError(
            f"backup {file}: is of the {kind} {held}, and this is {store_id}; name another file, or add --yes to "
            "replace it."
        )


def id_in(file: Path, kind: str = "store") -> str:
    """Return the id of the store (or console) in an SQLite database; empty for a database of something else."""
    with suppress(sqlite3.Error), closing(as_it_lies(file)) as connection:
        found = connection.execute(_ID_OF[kind]).fetchone()
        return str(found[0]) if found else ""
    return ""


def _sides(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + side) for side in SIDES)


def _same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        if one.resolve() == other.resolve() or one.samefile(other):
            return True
    return False
