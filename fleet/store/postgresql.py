"""The store on PostgreSQL: any number of workers, a connection each, every commit on the disk before it returns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.types.string import BytesBinaryDumper
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from platefleet.fleet.store import schema, staging
from platefleet.fleet.store.clocks import KnownClocks
from platefleet.fleet.store.errors import ForeignDatabase, StoreAway
from platefleet.fleet.store.port import Batch, Committed
from platefleet.fleet.store.postgresql_errors import store_error
from platefleet.protocol.clock import Clock
from platefleet.protocol.messages import EpochCoverage

CONNECT_S = 3
SILENCE_MS = 10_000
"""A server that acknowledges nothing for so long is away: its machine is gone, or the way to it."""
SETTINGS = {"synchronous_commit": "on", "lock_timeout": "2s", "statement_timeout": "30s", "jit": "off"}
"""Of each session: an ack stands for a commit on the disk; a stop may not wait for somebody's lock."""
MAKING = 0x706C617465
"""The advisory lock under which the tables are made, so that two workers may start on an empty database."""


class PostgresqlStore:
    """A store in a PostgreSQL database. An empty database gets its tables when the store is opened."""

    def __init__(self, url: URL, *, clock: Clock) -> None:
        """Open it, or make its tables. Raises StoreError."""
        self._url = url
        self._what = url.render_as_string(hide_password=True)
        self._clocks = KnownClocks()
        self._connection: staging.AnyConnection | None = None
        with self._border():
            self.id = self._prepare(clock.now().utc_ns)

    def commit(self, batch: Batch) -> Committed:
        """Make the whole batch durable, or nothing of it (see `Store.commit`)."""
        with self._border():
            connection = self._here()
            news = self._clocks.news(batch.arrivals)
            with connection.transaction():
                committed = staging.commit(connection, batch, news)
            self._clocks.committed(news)
            return committed

    def coverage(self, device: str, epochs: Sequence[str]) -> tuple[EpochCoverage, ...]:
        """Return what is covered of each epoch (see `Store.coverage`)."""
        with self._border():
            connection = self._here()
            with connection.transaction():
                return staging.coverage(connection, device, epochs)

    def check(self) -> None:
        """Raise StoreError unless a commit would find its database, and may write to it."""
        with self._border():
            self._identify(self._here())

    def close(self) -> None:
        """Give the connection back. Calling it again does nothing."""
        connection, self._connection = self._connection, None
        self._clocks.forget()
        if connection is not None:
            with suppress(psycopg.Error):  # nothing is lost: what was committed is on the disk
                connection.close()

    def _here(self) -> staging.AnyConnection:
        """Return the connection, or connect again to the same store."""
        if self._connection is not None:
            return self._connection
        self._connection = connection = connect(self._url)
        found = self._identify(connection)
        if found != self.id:
            raise ForeignDatabase(
                f"store {self._what}: holds the store {found} where {self.id} was; start ingest anew to use this one."
            )
        connection.execute(staging.STAGING)
        return connection

    def _identify(self, connection: staging.AnyConnection) -> str:
        """Return the id of the store that is there. Raises StoreError for one that cannot be committed to."""
        query = "SELECT id, schema_version, current_setting('transaction_read_only') FROM store"
        found = connection.execute(query).fetchone()
        if found is None:
            raise ForeignDatabase(f"store {self._what}: names no store id; restore it from a backup.")
        if found[2] == "on":
            raise StoreAway(f"store {self._what}: takes no writes; name the primary server, not a standby.")
        schema.require_newest(schema.Schema(found[1], found[0]), self._what, self._what)
        return str(found[0])

    def _prepare(self, now_utc_ns: int) -> str:
        """Make the tables in an empty database; return the store's id."""
        engine = postgresql_engine(self._url)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MAKING})")
            new_id = f"store-{os.urandom(8).hex()}"
            return schema.prepare(connection, self._what, self._what, new_id=new_id, now_utc_ns=now_utc_ns)

    @contextmanager
    def _border(self) -> Iterator[None]:
        """Let nothing out but StoreError; after any failure the next call connects again."""
        try:
            yield
        except BaseException as error:
            self.close()
            found = store_error(error, self._what)
            if found is None:
                raise
            raise found from error


def connect(url: URL, **options: Any) -> staging.AnyConnection:
    """Return a connection whose statements are transactions of their own unless one is begun. Raises psycopg.Error."""
    connection = psycopg.connect(
        conninfo(url),
        autocommit=True,
        **{
            "connect_timeout": CONNECT_S,
            "tcp_user_timeout": SILENCE_MS,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "application_name": "platefleet",
            **options,
        },
    )
    # COPY asks for whoever was registered last for a type: for bytes that was one in Python, twice for every record.
    connection.adapters.register_dumper(bytes, BytesBinaryDumper)
    try:
        for name, value in SETTINGS.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    except BaseException:
        connection.close()
        raise
    return connection


def conninfo(url: URL) -> str:
    """Return the URL as libpq reads it: all that it knows may stand behind the question mark."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def postgresql_engine(url: URL) -> Engine:
    """Return an engine over connections like those of the store, without the limit on a statement's time."""

    def connected() -> Any:
        connection = connect(url)
        connection.execute("SET statement_timeout = 0")
        connection.autocommit = False
        return connection

    return create_engine("postgresql+psycopg://", creator=connected, poolclass=NullPool)
