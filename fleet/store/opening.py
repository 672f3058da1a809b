"""From a URL to a store."""

from __future__ import annotations

from pathlib import Path

from platefleet.fleet.store.port import Store
from platefleet.protocol.clock import Clock
from platefleet.protocol.errors import ConfigError


def open_store(url: str, *, clock: Clock) -> Store:
    """Open the store at `url`, for example `sqlite:////var/lib/platefleet/store.db`.

    Raises ConfigError for a URL that cannot be used or an extra that is not installed, StoreError for a database that
    cannot.
    """
    try:
        from sqlalchemy.engine import make_url  # noqa: PLC0415 - an extra: its absence is a sentence, not a traceback
        from sqlalchemy.exc import ArgumentError  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError('database: needs SQLAlchemy; install it with pip install "platefleet[fleet]".') from error
    from platefleet.fleet.store.sqlite import SqliteStore  # noqa: PLC0415

    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f"database: {url!r} is no URL; sqlite:///store.db would be right.") from error
    if parsed.get_backend_name() != "sqlite":
        raise ConfigError(f"database: {parsed.drivername} is not supported yet; sqlite:///store.db would be right.")
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigError("database: a store in memory forgets; sqlite:///store.db would be right.")
    return SqliteStore(Path(parsed.database), clock=clock)
