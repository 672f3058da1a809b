"""A store's database for whoever keeps it: one transaction after another, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL

from platefleet.fleet.store.opening import parse, path_of
from platefleet.fleet.store.schema import identity, require_newest
from platefleet.protocol.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

BUSY_TIMEOUT_S = 10.0
"""A person waits longer for ingest's commit than ingest may wait for a person."""


@dataclass(frozen=True)
class Database:
    """Where a store is. what: its name in sentences, without a password."""

    url: URL
    what: str

    @property
    def path(self) -> Path | None:
        """The file, for SQLite."""
        return path_of(self.url).absolute() if self.url.get_backend_name() == "sqlite" else None

    @contextmanager
    def begin(self, *, make: bool = False, any_schema: bool = False) -> Iterator[Connection]:
        """Enter a transaction; leaving it commits, an exception rolls back. Raises StoreError for the database's own.

        make: a file that is not there is made. any_schema: take an older or newer schema than this program's too.
        """
        engine, explain = self._engine(make)
        try:
            with engine.begin() as connection:
                if not any_schema:
                    require_newest(identity(connection, self.what), self.what, self.what)
                yield connection
        except BaseException as error:
            found = explain(error)
            if found is None:
                raise
            raise found from error

    def _engine(self, make: bool) -> tuple[Engine, Callable[[BaseException], StoreError | None]]:
        path = self.path
        if path is None:
            from platefleet.fleet.store import postgresql  # noqa: PLC0415 - an extra
            from platefleet.fleet.store.postgresql_errors import store_error  # noqa: PLC0415 - an extra

            return postgresql.postgresql_engine(self.url), lambda error: store_error(error, self.what)
        from platefleet.fleet.store import sqlite, sqlite_errors  # noqa: PLC0415 - beside the other

        engine = sqlite.sqlite_engine(path, "rwc" if make else "rw", timeout_s=BUSY_TIMEOUT_S)

        def explain(error: BaseException) -> StoreError | None:
            if isinstance(error, FileNotFoundError):
                return sqlite_errors.not_there(path)
            return sqlite_errors.store_error(error, path)

        return engine, explain


def database_at(url: str) -> Database:
    """Return the database at `url`. Raises ConfigError."""
    parsed = parse(url)
    return Database(parsed, parsed.render_as_string(hide_password=True))
