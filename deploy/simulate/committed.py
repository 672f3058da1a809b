"""What a store's database holds, read by plain SQL and without any of ingest's code. SQLite or PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from platefleet.deploy.simulate.compare import GoneRange, Row
from platefleet.deploy.simulate.ledger import digest
from platefleet.protocol.delivery.frame import thaw
from platefleet.protocol.errors import StoreError

RECORDS = "SELECT device, epoch, seq, type, frame FROM records"
GONE = 'SELECT device, epoch, "first", "last" FROM gone'
SQLITE = "sqlite:///"


def rows(url: str) -> list[Row]:
    """Return every record. Raises StoreError while the database cannot be read."""
    found = []
    for device, epoch, seq, kind, frame in query(url, RECORDS):
        content = bytes(frame)
        found.append(Row((device, epoch, seq), kind, digest(content), digest(thaw(content).body)))
    return found


def gone(url: str) -> list[GoneRange]:
    """Return every range that a device gave up. Raises StoreError while the database cannot be read."""
    return [GoneRange(*row) for row in query(url, GONE)]


def count(url: str) -> int:
    """Return how many records there are. Raises StoreError while the database cannot be read."""
    return int(next(query(url, "SELECT count(*) FROM records"))[0])


def query(url: str, sql: str) -> Iterator[Sequence[Any]]:
    """Yield the rows of one query. Raises StoreError while the database cannot be read."""
    if url.startswith(SQLITE):
        yield from _sqlite(url.removeprefix(SQLITE), sql)
    else:
        yield from _postgresql(url, sql)


def _sqlite(path: str, sql: str) -> list[Any]:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(sql).fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be read ({error}); is it the store's database?") from error


def _postgresql(url: str, sql: str) -> list[Any]:
    try:
        import psycopg  # noqa: PLC0415 - an extra

        with psycopg.connect(url.replace("+psycopg", ""), connect_timeout=5) as connection:
            return connection.execute(sql.encode()).fetchall()
    except ImportError as error:
        raise StoreError('database: needs psycopg; install it with pip install "platefleet[fleet]".') from error
    except psycopg.Error as error:
        raise StoreError(f"the store's database cannot be read ({error}); does it run?") from error
