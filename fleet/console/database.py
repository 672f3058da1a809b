"""The console's database, on SQLite or PostgreSQL: one transaction after another; made where there is none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, func, inspect, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from platefleet.fleet.console import tables
from platefleet.fleet.console.serving import FileLock, ServerLock, Serving
from platefleet.fleet.store.errors import ForeignDatabase, StoreAway
from platefleet.fleet.store.opening import parse, path_of
from platefleet.fleet.store.sqlite_copy import as_it_lies
from platefleet.protocol.errors import StoreError
from platefleet.protocol.ids import new_epoch

BUSY_TIMEOUT_S = 10.0
DEFAULT = "sqlite:///console.db"
BEGIN = "there is none here; name it with --console, or begin one with `fleet enroll` or `console run`."
_MAKING = 0x636F6E73
"""The lock under which the tables are made, in PostgreSQL: a number of our own."""


class ConsoleDatabase:
    """An open database. `begin` may be called from any thread."""

    def __init__(self, url: str, *, now_utc_ns: int, make: bool = True) -> None:
        """Open it, and make its tables if it has none. make: a file too where there is none.

        Raises ConfigError, StoreError.
        """
        self.url: URL = parse(url)
        self.what = self.url.render_as_string(hide_password=True)
        self._mode = "rwc" if make else "rw"
        self._engine, self._explain = self._open()
        with self.begin() as connection:
            _prepare(connection, self.what, now_utc_ns, make=make)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Enter a transaction; leaving it commits, an exception rolls back. Raises StoreError."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except BaseException as error:
            found = self._explain(error)
            if found is None:
                raise
            raise found from error

    @contextmanager
    def serving(self) -> Iterator[Serving]:
        """Be the one service that works with it, until this is left.

        Raises ConfigError if another is: they would throw each other off; StoreError.
        """
        try:
            lock: Serving
            if self.url.get_backend_name() == "sqlite":
                lock = FileLock(path_of(self.url).resolve(), self.what)
            else:
                lock = ServerLock(self._engine, self.what)
        except SQLAlchemyError as error:
            raise self._explain(error) or error from error
        try:
            yield lock
        finally:
            lock.release()

    def close(self) -> None:
        """Give its connections back."""
        self._engine.dispose()

    def _open(self) -> tuple[Engine, Callable[[BaseException], StoreError | None]]:
        if self.url.get_backend_name() != "sqlite":
            from platefleet.fleet.store import postgresql  # noqa: PLC0415 - an extra
            from platefleet.fleet.store.postgresql_errors import store_error  # noqa: PLC0415 - an extra

            return postgresql.postgresql_engine(self.url), lambda error: store_error(error, self.what)
        from platefleet.fleet.store import sqlite, sqlite_errors  # noqa: PLC0415 - beside the other

        path: Path = path_of(self.url).absolute()

        def explain(error: BaseException) -> StoreError | None:
            if isinstance(error, FileNotFoundError):
                return StoreAway(f"console {path}: {BEGIN}")
            return sqlite_errors.store_error(error, path)

        if _is_something_elses(path):  # before its journal is set up as ours
            raise ForeignDatabase(f"console {path}: is something else's database; name another one.")
        return sqlite.sqlite_engine(path, self._mode, timeout_s=BUSY_TIMEOUT_S), explain


def _is_something_elses(path: Path) -> bool:
    """Whether a file is a database that has tables, and none of a console; what cannot be read is told when opened."""
    with suppress(OSError, sqlite3.Error), closing(as_it_lies(path)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return bool(names) and "console" not in names
    return False


def _prepare(connection: Connection, what: str, now_utc_ns: int, *, make: bool) -> None:
    if connection.dialect.name == "postgresql":  # two programs may come at once; SQLite lets one in anyhow
        connection.execute(select(func.pg_advisory_xact_lock(_MAKING)))
    if not inspect(connection).has_table("console"):
        if not make:
            raise StoreAway(f"console {what}: {BEGIN}")
        tables.metadata.create_all(connection)
        row = {"one": 1, "id": new_epoch(), "schema_version": tables.SCHEMA_VERSION, "created_ns": now_utc_ns}
        connection.execute(tables.console.insert(), row)
        return
    if "schema_version" not in {column["name"] for column in inspect(connection).get_columns("console")}:
        raise ForeignDatabase(f"console {what}: is something else's database; name another one.")
    version = connection.execute(select(tables.console.c.schema_version)).scalar_one()
    if version != tables.SCHEMA_VERSION:
        raise ForeignDatabase(
            f"console {what}: schema {version}, and this program works with {tables.SCHEMA_VERSION}; "
            "install the release that wrote it."
        )
