"""The file of the journal of commands: its tables, and what becomes of it when it is damaged."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

from platefleet.protocol.ids import new_epoch

VERSION = 1
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE command (
  id TEXT PRIMARY KEY, operation TEXT NOT NULL, "order" TEXT NOT NULL, arguments TEXT NOT NULL, envelope BLOB NOT NULL,
  role TEXT NOT NULL, life TEXT NOT NULL, "over" INTEGER NOT NULL, ends_ns INTEGER NOT NULL, number INTEGER NOT NULL,
  kept TEXT NOT NULL, status BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX open_command ON command ("over") WHERE NOT "over";
CREATE TABLE status (n INTEGER PRIMARY KEY AUTOINCREMENT, command TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE cancel (
  command TEXT PRIMARY KEY, operator TEXT NOT NULL, role TEXT NOT NULL, key TEXT NOT NULL, ends_ns INTEGER NOT NULL
) WITHOUT ROWID;
"""


def opened(path: Path) -> sqlite3.Connection:
    """Return the open file, made if there is none. Raises sqlite3.Error; DatabaseError itself where it is damaged."""
    database = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        found = database.execute("PRAGMA quick_check").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(str(found)[:200])
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            database.execute("BEGIN IMMEDIATE")
            for statement in filter(str.strip, _SCHEMA.split(";")):
                database.execute(statement)
            database.execute("INSERT INTO meta VALUES ('install', ?)", (new_epoch(),))
            database.execute(f"PRAGMA user_version = {VERSION}")
            database.execute("COMMIT")
        elif version != VERSION:
            raise sqlite3.OperationalError(
                f"of version {version}, this program knows {VERSION}; install the other release"
            )
        path.chmod(0o600)
    except BaseException:
        database.close()
        raise
    return database


def looked_at(path: Path) -> sqlite3.Connection:
    """Return the file of a journal that another process may be writing; nothing is made or changed."""
    database = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=5, isolation_level=None)
    database.row_factory = sqlite3.Row
    return database


def set_aside(path: Path, error: sqlite3.Error) -> str:
    """Move a damaged journal out of the way; return the sentence that says so."""
    beside = path.with_name(f"{path.name}.broken-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(beside.with_name(beside.name + suffix))
    return (
        f"{path}: the journal of commands was damaged ({error}) and is kept as {beside.name}; a new one was begun, so "
        "open commands are lost and have to be signed again"
    )
