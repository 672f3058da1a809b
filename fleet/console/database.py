"""The console's database, on SQLite or PostgreSQL: one transaction after another; made where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, func, inspect, select
from sqlalchemy.engine import URL

from platefleet.fleet.console import tables
from platefleet.fleet.store.errors import ForeignDatabase, StoreAway
from platefleet.fleet.store.opening import parse, path_of
from platefleet.protocol.errors import ConfigError, StoreError
from platefleet.protocol.ids import new_epoch
from platefleet.protocol.process_lock import ProcessLock, Taken

BUSY_TIMEOUT_S = 10.0
DEFAULT = "sqlite:///console.db"
_MAKING, _SERVING = 0x636F6E73, 0x636F6E74
"""The locks under which the tables are made and one service works, in PostgreSQL: numbers of our own."""


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
            _prepare(connection, self.what, now_utc_ns)

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
    def serving(self) -> Iterator[None]:
        """Be the one service that works with it. Raises ConfigError if another is: they would throw each other off."""
        with ExitStack() as owned:
            holder = self._alone(owned)
            if holder:
                raise ConfigError(f"console {self.what}: {holder} serves it already; end that one first.")
            yield

    def close(self) -> None:
        """Give its connections back."""
        self._engine.dispose()

    def _alone(self, owned: ExitStack) -> str:
        """Take the lock until `owned` is closed; return who has it, empty for this one."""
        if self.url.get_backend_name() != "sqlite":  # for as long as this connection lives
            with self.begin():  # what is wrong with the server is told in its own words
                connection = owned.enter_context(self._engine.connect())
            taken = connection.execute(select(func.pg_try_advisory_lock(_SERVING))).scalar_one()
            connection.commit()
            return "" if taken else "another console"
        path = path_of(self.url).absolute()
        try:
            owned.callback(ProcessLock(path.with_name(f"{path.name}.serving")).release)
        except Taken as error:
            return str(error)
        return ""

    def _open(self) -> tuple[Engine, Callable[[BaseException], StoreError | None]]:
        if self.url.get_backend_name() != "sqlite":
            from platefleet.fleet.store import postgresql  # noqa: PLC0415 - an extra
            from platefleet.fleet.store.postgresql_errors import store_error  # noqa: PLC0415 - an extra

            return postgresql.postgresql_engine(self.url), lambda error: store_error(error, self.what)
        from platefleet.fleet.store import sqlite, sqlite_errors  # noqa: PLC0415 - beside the other

        path: Path = path_of(self.url).absolute()

        def explain(error: BaseException) -> StoreError | None:
            if isinstance(error, FileNotFoundError):
                return StoreAway(
                    f"console {path}: there is no such file; name it with --console, or begin one with "
                    "`platefleet fleet enroll` or `platefleet console run`."
                )
            return sqlite_errors.store_error(error, path)

        return sqlite.sqlite_engine(path, self._mode, timeout_s=BUSY_TIMEOUT_S), explain


def _prepare(connection: Connection, what: str, now_utc_ns: int) -> None:
    if connection.dialect.name == "postgresql":  # two programs may come at once; SQLite lets one in anyhow
        connection.execute(select(func.pg_advisory_xact_lock(_MAKING)))
    if not inspect(connection).has_table("console"):
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
