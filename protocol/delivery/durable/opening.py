"""Opening a database: locked against other processes, checked, and kept beside if it is broken."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.delivery.durable import schema, tables
from platefleet.protocol.delivery.durable.adopting import Adoption
from platefleet.protocol.delivery.durable.database import Database
from platefleet.protocol.delivery.durable.disk import DiskOutbox
from platefleet.protocol.delivery.durable.reading import Settings
from platefleet.protocol.delivery.durable.refused import DiskRefused, refusing
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.delivery.notes import Notes
from platefleet.protocol.delivery.port import EPOCHS_TOLD
from platefleet.protocol.errors import OutboxError
from platefleet.protocol.messages import EpochEnd
from platefleet.protocol.process_lock import ProcessLock, Taken

LOG = logging.getLogger(__name__)
BROKEN_MOST = 3
"""Broken databases kept beside; of more, the oldest are deleted, or they would fill the disk in their turn."""
_PARTS = ("", "-wal", "-shm")


def lock(database: Path) -> ProcessLock:
    """Take a database's lock. Raises OutboxError that names the holder, DiskRefused where no file can be made."""
    path = database.with_name(f"{database.name}.lock")
    try:
        with refusing(path):
            return ProcessLock(path)
    except Taken as taken:
        raise OutboxError(f"{database}: {taken} has this outbox; stop it first or name another file.") from taken


class Found(NamedTuple):
    """What a database says before it is checked: its notes, and the epochs that it holds."""

    notes: Mapping[str, bytes]
    epochs: tuple[EpochEnd, ...]


NOTHING_FOUND = Found({}, ())


def look(path: Path) -> Found:
    """Return what a start must know before the database is checked; nothing if that cannot be read. Takes no time."""
    if not path.exists():
        return NOTHING_FOUND
    try:
        with closing(schema.reader(path)) as connection:
            epochs = tables.load(connection)[-EPOCHS_TOLD:]
            ends = tuple(EpochEnd(epoch=each.name, last=each.belief.last) for each in epochs)
            notes = tables.notes(connection)
            Notes().check(notes)
            return Found(notes, ends)
    except (
        sqlite3.Error,
        TypeError,
        ValueError,
        OverflowError,
        OSError,
        OutboxError,
    ) as error:  # the check says what is wrong
        LOG.warning("%s: cannot be read before it is checked: %s", path, error)
        return NOTHING_FOUND


def leave(path: Path, use: Settings, memory: MemoryOutbox) -> None:
    """Write what is held in memory into a database that was not checked to its end. Raises DiskRefused."""
    database = Database(path)
    try:
        with refusing(path):
            Adoption(DiskOutbox(database, use, counting=False), memory).write()
    finally:
        database.close()


def open_disk(path: Path, use: Settings, *, without: Collection[str] = ()) -> tuple[DiskOutbox, str]:
    """Open, check and count a database, or make one; no epoch is begun yet. The lock must be held.

    without: names of epochs that are held elsewhere; what an attempt to write them left is deleted.
    Returns the outbox and what was wrong with the database that it replaces, empty if nothing. Raises DiskRefused.
    """
    said = ""
    try:
        return _opened(path, use, without), ""
    except DiskRefused as error:
        if not error.broken:
            raise
        said = str(error)
    beside = _keep_beside(path, use.clock.now().utc_ns)
    LOG.error("%s: kept as %s; a new database is begun (%s)", path, beside.name, said)
    said = f"{path}: the database was damaged and is kept as {beside.name}; have the disk checked."
    return _opened(path, use, without), said


def _opened(path: Path, use: Settings, without: Collection[str]) -> DiskOutbox:
    with refusing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    database = Database(path)
    try:
        with refusing(path):
            try:
                answers = database.reader.execute("PRAGMA quick_check(1)").fetchall()
                if answers != [("ok",)]:
                    raise sqlite3.DatabaseError(f"malformed: {answers[:1]}")
                with database.transaction() as connection:
                    tables.forget(connection, without)
                return DiskOutbox(database, use)
            except (TypeError, ValueError, OverflowError) as error:  # a value that no program of ours wrote
                raise sqlite3.DatabaseError(f"malformed: {error}") from error
    except BaseException:
        database.close()
        raise


def _keep_beside(path: Path, utc_ns: int) -> Path:
    """Rename a database and its log. Raises DiskRefused."""
    moment = datetime.fromtimestamp(max(utc_ns, 0) // SECOND_NS, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    with refusing(path):
        older = sorted(
            (each for each in path.parent.glob(f"{path.name}.broken-*") if not each.name.endswith(_PARTS[1:])),
            key=lambda each: each.stat().st_mtime_ns,
        )
        for old in older[: max(0, len(older) - BROKEN_MOST + 1)]:
            for part in _PARTS:
                old.with_name(old.name + part).unlink(missing_ok=True)
        beside, count = path.with_name(f"{path.name}.broken-{moment}"), 1
        while beside.exists():
            count += 1
            beside = path.with_name(f"{path.name}.broken-{moment}-{count}")
        for part in _PARTS:
            if path.with_name(path.name + part).exists():
                path.with_name(path.name + part).rename(beside.with_name(beside.name + part))
    return beside
