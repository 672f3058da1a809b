"""The store on SQLite: one file, one connection, every commit on the disk before it returns."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from platefleet.fleet.store import schema, transaction
from platefleet.fleet.store.clocks import KnownClocks
from platefleet.fleet.store.errors import ForeignDatabase, StoreAway
from platefleet.fleet.store.port import Batch, Committed
from platefleet.fleet.store.sqlite_errors import store_error
from platefleet.protocol.clock import Clock
from platefleet.protocol.messages import EpochCoverage

BUSY_TIMEOUT_S = 0.5
"""How long to wait for another program's lock; ingest asks again, and a stop must not wait longer than two seconds."""


class SqliteStore:
    """A store in one SQLite file: WAL, synchronous FULL, foreign keys.

    A file that is not there is made when the store is opened, never afterwards: a database that vanishes under a
    running ingest (an unmounted disk, a deleted file) would otherwise begin anew, empty, and be believed.
    """

    def __init__(self, path: Path, *, clock: Clock) -> None:
        """Open or make the database. Raises StoreError."""
        self._path = path.absolute()
        self._url = f"sqlite:///{self._path}"
        self._clocks = KnownClocks()
        self._connection: Connection | None = None
        self._identity: tuple[int, int] | None = None
        with self._border():
            connection = self._connect("rwc")
            self.id = self._prepare(connection, clock.now().utc_ns)

    def commit(self, batch: Batch) -> Committed:
        """Make the whole batch durable, or nothing of it (see `Store.commit`)."""
        with self._border():
            connection = self._here()
            news = self._clocks.news(batch.arrivals)
            with connection.begin():
                committed = transaction.commit(connection, batch, news)
            if not self._is_the_file():
                raise StoreAway(f"store {self._path}: the file was replaced during a commit; it is opened again.")
            self._clocks.committed(news)
            return committed

    def coverage(self, device: str, epochs: Sequence[str]) -> tuple[EpochCoverage, ...]:
        """Return what is covered of each epoch (see `Store.coverage`)."""
        with self._border():
            connection = self._here()
            with connection.begin():
                return transaction.coverage(connection, device, epochs)

    def check(self) -> None:
        """Raise StoreError unless a commit would find its database and its lock."""
        with self._border():
            connection = self._here()
            with connection.begin():
                self._identify(connection)

    def close(self) -> None:
        """Give the database back. Calling it again does nothing."""
        connection, self._connection = self._connection, None
        self._clocks.forget()
        if connection is not None:
            with suppress(SQLAlchemyError):  # nothing is lost: what was committed is on the disk
                connection.close()

    def _here(self) -> Connection:
        """Return the connection to the file that is there now, or connect again to the same store."""
        if self._connection is not None and self._is_the_file():
            return self._connection
        self.close()
        connection = self._connect("rw")
        with connection.begin():
            found = self._identify(connection)
        if found != self.id:
            raise ForeignDatabase(
                f"store {self._path}: holds the store {found} where {self.id} was; start ingest anew to use this one."
            )
        return connection

    def _connect(self, mode: str) -> Connection:
        engine = sqlite_engine(self._path, mode)
        connection = engine.connect()
        stat = os.stat(self._path)
        self._identity = (stat.st_dev, stat.st_ino)
        self._connection = connection
        return connection

    def _is_the_file(self) -> bool:
        """Rows in a file that has no name any more are in no database. Raises FileNotFoundError."""
        stat = os.stat(self._path)
        return (stat.st_dev, stat.st_ino) == self._identity

    def _prepare(self, connection: Connection, now_utc_ns: int) -> str:
        """Make the tables in an empty database; return the store's id."""
        with connection.begin():
            new_id = f"store-{os.urandom(8).hex()}"
            return schema.prepare(connection, str(self._path), self._url, new_id=new_id, now_utc_ns=now_utc_ns)

    def _identify(self, connection: Connection) -> str:
        found = schema.identity(connection, str(self._path))
        schema.require_newest(found, str(self._path), self._url)
        return found.id

    @contextmanager
    def _border(self) -> Iterator[None]:
        """Let nothing out but StoreError; after any failure the next call connects again."""
        try:
            yield
        except BaseException as error:
            self.close()
            found = store_error(error, self._path)
            if found is None:
                raise
            raise found from error


def sqlite_engine(path: Path, mode: str, *, timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Return an engine whose transactions take SQLite's write lock when they begin, so none fails half-way for it."""

    def connect() -> sqlite3.Connection:
        if mode == "rw":
            os.stat(path)  # SQLite would say of a file that is gone only that it cannot be opened
        # isolation_level None: SQLAlchemy says BEGIN itself; Python's sqlite3 would begin only at the first write.
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}",
            uri=True,
            timeout=timeout_s,
            isolation_level=None,
            check_same_thread=False,  # opened by the main thread, used by the worker alone
        )
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
