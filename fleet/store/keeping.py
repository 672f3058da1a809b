"""What a person does to the store's schema: look, up, down."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from platefleet.fleet.store import tables
from platefleet.fleet.store.database import Database, database_at
from platefleet.fleet.store.opening import open_store
from platefleet.fleet.store.schema import NEWEST, Schema, migrate, require_newest, schema_of
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.errors import StoreError


def described(url: str) -> list[str]:
    """Return lines about the store at `url`. Raises ConfigError, StoreError."""
    database = database_at(url)
    with database.begin(any_schema=True) as connection:
        schema = schema_of(connection, database.what)
        if schema.revision == 0:
            none = "store: none; ingest makes it when it starts, or `platefleet fleet database upgrade`"
            return [f"database: {database.what}", none]
        coverage = tables.coverage.c
        covered = select(func.count(coverage.device.distinct()), func.sum(coverage.last - coverage.first + 1))
        devices, names = connection.execute(covered).one()
        waiting = connection.execute(select(func.count()).select_from(tables.quarantine)).scalar_one()
        return [
            f"database: {database.what}",
            f"store: {schema.id}",
            f"schema: {schema.revision} (this program's: {NEWEST})",
            f"size: {_size_bytes(connection, database) / 1e6:.1f} MB",
            f"devices: {devices}",
            f"records covered: {names or 0}",
            f"in quarantine: {waiting}",
        ]


def upgraded(url: str) -> str:
    """Bring the store at `url` to this program's schema; return what was done. Raises ConfigError, StoreError."""
    database = database_at(url)
    with database.begin(make=True, any_schema=True) as connection:
        before = schema_of(connection, database.what)
        if 0 < before.revision < NEWEST:
            migrate(connection, NEWEST)
        elif before.revision:
            require_newest(before, database.what, database.what)
    if before.revision == 0:
        store = open_store(url, clock=SystemClock())
        store.close()
        return f"store {database.what}: made, schema {NEWEST}, store {store.id}"
    return _told(database, before, NEWEST)


def downgraded(url: str, target: int) -> str:
    """Bring the store at `url` to the older schema `target`; return what was done. Raises ConfigError, StoreError."""
    database = database_at(url)
    with database.begin(any_schema=True) as connection:
        before = schema_of(connection, database.what)
        if before.revision > NEWEST or before.revision < target:
            raise StoreError(
                f"store {database.what}: schema {before.revision} cannot be brought to {target} by this program; "
                f"name one from 1 to {min(before.revision, NEWEST)}."
            )
        migrate(connection, target)
    return _told(database, before, target)


def _told(database: Database, before: Schema, now: int) -> str:
    if before.revision == now:
        return f"store {database.what}: schema {now} already"
    return f"store {database.what}: from schema {before.revision} to {now}"


def _size_bytes(connection: Connection, database: Database) -> int:
    path = database.path
    if path is not None:
        return path.stat().st_size
    return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
