"""From a URL to a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from platefleet.fleet.store.port import Store
from platefleet.protocol.clock import Clock
from platefleet.protocol.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

RIGHT = "sqlite:///store.db or postgresql://host/name would be right"


def open_store(url: str, *, clock: Clock) -> Store:
    """Open the store at `url`, for example `sqlite:////var/lib/platefleet/store.db` or `postgresql://db/platefleet`.

    Raises ConfigError for a URL that cannot be used or an extra that is not installed, StoreError for a database that
    cannot.
    """
    parsed = parse(url)
    if parsed.get_backend_name() == "sqlite":
        from platefleet.fleet.store.sqlite import SqliteStore  # noqa: PLC0415 - an extra

        return SqliteStore(path_of(parsed), clock=clock)
    from platefleet.fleet.store.postgresql import PostgresqlStore  # noqa: PLC0415 - an extra

    return PostgresqlStore(parsed, clock=clock)


def parse(url: str) -> URL:
    """Return the URL in its parts. Raises ConfigError for one that no store can be at, or a missing extra."""
    try:
        from sqlalchemy.engine import make_url  # noqa: PLC0415 - an extra: its absence is a sentence, not a traceback
        from sqlalchemy.exc import ArgumentError  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError('database: needs SQLAlchemy; install it with pip install "platefleet[fleet]".') from error
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(f"database: {_without_password(url)!r} is no URL; {RIGHT}.") from error
    match parsed.get_backend_name():
        case "sqlite" if parsed.host:
            right = f"sqlite:///{url.partition('://')[2]}" if "@" not in url else "sqlite:///store.db"
            raise ConfigError(f"database: a file is named after three slashes; {right} would be right.")
        case "sqlite" if not parsed.database or parsed.database == ":memory:":
            raise ConfigError("database: a store in memory forgets; sqlite:///store.db would be right.")
        case "sqlite":
            return parsed
        case "postgresql" | "postgres":
            _require_psycopg()
            return parsed.set(drivername="postgresql")
        case other:
            raise ConfigError(f"database: {other} is not supported; {RIGHT}.")


def path_of(url: URL) -> Path:
    """Return the file of an SQLite URL that `parse` returned."""
    return Path(url.database or "").expanduser()


def _require_psycopg() -> None:
    try:
        import psycopg  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise ConfigError('database: needs psycopg; install it with pip install "platefleet[fleet]".') from error


def _without_password(url: str) -> str:
    """Return what of a URL that cannot be read may be shown."""
    return url if "@" not in url else f"…@{url.rpartition('@')[2]}"
