"""The store opened for reading alone: no statement can change it, and no commit waits for one.

SQLite: `mode=ro` (see `sqlite_file`), and the write-ahead log lets ingest commit meanwhile. PostgreSQL: read-only
transactions. Each `snapshot` is one short transaction, so a listing of hours holds back neither a checkpoint nor a
vacuum.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from platefleet.fleet.questions.sqlite_file import SqliteFile
from platefleet.fleet.store import tables
from platefleet.fleet.store.errors import ForeignDatabase, StoreAway
from platefleet.fleet.store.opening import parse, path_of
from platefleet.fleet.store.sqlite_errors import not_there

CONNECT_TIMEOUT_S = 5


class Reader:
    """A store that is only read. One thread at a time.

    id: the store's. corrects: whether it knows what devices learned of their clocks (the table `boots`).
    """

    def __init__(self, url: str) -> None:
        """Open the store at `url`. Raises ConfigError for a URL that cannot be used, StoreError for its database."""
        parsed = parse(url)
        self._name = parsed.render_as_string(hide_password=True)
        self._path = path_of(parsed).absolute() if parsed.get_backend_name() == "sqlite" else None
        self._file = None if self._path is None else SqliteFile(self._path)
        self._engine = _postgresql(parsed) if self._file is None else _sqlite(self._file)
        self._connection: Connection | None = None
        with self.snapshot() as connection:
            self.id, self.corrects = self._identify(connection)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Ask several things of one state of the store. Raises StoreAway; the next call connects again."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                yield self._connection
            if self._file is not None and self._file.lies:
                self.close()
                self._require_unchanged()
        except BaseException as error:
            self.close()
            match error:
                case FileNotFoundError() if self._path is not None:
                    raise not_there(self._path) from error
                case DBAPIError():
                    self._require_unchanged()
                    raise StoreAway(self._sentence(str(error.orig))) from error
                case SQLAlchemyError() | sqlite3.Error() | OSError():
                    raise StoreAway(self._sentence(str(error))) from error
                case _:
                    raise

    def close(self) -> None:
        """Give the database back. Calling it again does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):  # nothing was written
                connection.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _require_unchanged(self) -> None:
        if self._file is not None and self._file.changed():
            raise StoreAway(f"store {self._name}: was written while it was read; ask again.")

    def _identify(self, connection: Connection) -> tuple[str, bool]:
        present = set(inspect(connection).get_table_names())
        if "store" not in present or "plates" not in present:
            raise ForeignDatabase(f"store {self._name}: holds no store; name the database that ingest commits to.")
        found = connection.execute(select(tables.store.c.id, tables.store.c.schema_version)).one_or_none()
        if found is None:
            raise ForeignDatabase(f"store {self._name}: names no store id; restore it from a backup.")
        if found.schema_version != tables.SCHEMA_VERSION:
            raise ForeignDatabase(
                f"store {self._name}: schema version {found.schema_version}, and this program knows "
                f"{tables.SCHEMA_VERSION}; use the release that ingest runs."
            )
        return str(found.id), "boots" in present

    def _sentence(self, said: str) -> str:
        first = next(iter(said.strip().splitlines()), "no reason given")
        return f"store {self._name}: cannot be read ({first}); check that it is there and that this user may read it."


def _sqlite(file: SqliteFile) -> Engine:
    engine = create_engine("sqlite://", creator=file.connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")  # Python's sqlite3 begins no transaction for a read


def _postgresql(url: URL) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "platefleet questions"},
        execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    )
