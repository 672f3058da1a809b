"""The database: its tables, and how it is opened so that an append writes few pages.

Rows are numbered `base of their epoch + seq`, so that an append goes to the right edge of one tree, needs no index, and
a range of seqs is a range of rows. Crops have a table of their own: the quota takes them first, and between them the
small records would lie one to a page. What the store has is a list of ranges per epoch, never a mark on a row.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

VERSION = 1
PAGE_BYTES = 1024
"""A plate event of 450 bytes writes 2.7 KB so and 5.8 KB with SQLite's usual 4096 (measured; docs/outbox.md)."""
CHECKPOINT_PAGES = 1024
"""The log is copied into the database at 1 MiB and written over from its start: once it has its length, an append
changes no file size, which saves the file system's own journal (measured: 0.26 ms against 0.6 ms)."""
LOG_LIMIT_BYTES = 4 * 1024 * 1024
"""A log that grew over it by one large transaction is cut."""
BUSY_S = 1.0

TABLES = """
CREATE TABLE epochs (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, base INTEGER NOT NULL, last INTEGER NOT NULL,
    believed BLOB NOT NULL
);
CREATE TABLE lost (
    epoch INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (epoch, first)
) WITHOUT ROWID;
CREATE TABLE records (
    id INTEGER PRIMARY KEY, size INTEGER NOT NULL, mono INTEGER NOT NULL, utc INTEGER NOT NULL, frame BLOB NOT NULL
);
CREATE TABLE crops (
    id INTEGER PRIMARY KEY, size INTEGER NOT NULL, mono INTEGER NOT NULL, utc INTEGER NOT NULL, frame BLOB NOT NULL
);
CREATE TABLE notes (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""


def writer(path: Path) -> sqlite3.Connection:
    """Open the database for the one writer, and make it if there is none. Raises sqlite3.Error."""
    connection = _connect(path)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT_BYTES}")
        if version == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            raise sqlite3.DatabaseError(f"file is not a database of version {VERSION} but of {version}")
    except BaseException:
        connection.close()
        raise
    return connection


def reader(path: Path) -> sqlite3.Connection:
    """Open the database for reading; it sees what was committed and waits for no writer. Raises sqlite3.Error."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    """Connect without Python's own transactions. Whoever holds the lock that guards it uses it, on any thread."""
    return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
