"""A store into a file and back: SQLite by its online copy, PostgreSQL by pg_dump and pg_restore."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, select

from platefleet.fleet.store import tables
from platefleet.fleet.store.backup_place import (
    DUMP,
    cannot_be_written,
    is_the_store,
    require_own,
    require_place,
    written_beside,
)
from platefleet.fleet.store.database import Database, database_at
from platefleet.fleet.store.postgresql_dump import dump, put_back_dump
from platefleet.fleet.store.schema import VERSION_TABLE, schema_of
from platefleet.fleet.store.sqlite_copy import as_it_lies, copy, in_use
from platefleet.fleet.store.sqlite_errors import backup_error, store_error
from platefleet.protocol.errors import StoreError

FILLED = "devices fill in what it lacks: they ask when they connect and every ten minutes"


def back_up(url: str, file: Path, *, replace: bool = False) -> str:
    """Copy the store at `url` into `file`; return what was done. Raises ConfigError, StoreError.

    replace: also over a file that is no earlier backup of this store.
    """
    database = database_at(url)
    with database.begin(any_schema=True) as connection:
        schema = schema_of(connection, database.what)
    if schema.revision == 0:
        raise StoreError(f"store {database.what}: empty; there is nothing to back up.")
    require_place(file, database.path, schema.id, replace=replace)
    with written_beside(file) as part:
        if database.path is not None:
            _copy_out(database.path, part, file)
        else:
            dump(database.url, database.what, part, file)
    return f"backup {file}: store {schema.id}, schema {schema.revision}, {file.stat().st_size / 1e6:.1f} MB"


def put_back(url: str, file: Path, *, replace: bool, foreign: bool = False) -> str:
    """Put what `back_up` wrote in the place of the store at `url`; return what was done.

    Raises ConfigError, StoreError: also where the store holds records and `replace` is false, or where a sound SQLite
    database is no store, or another one than was backed up, and `foreign` is false.
    """
    database = database_at(url)
    if not file.is_file():
        raise StoreError(f"backup {file}: is not there; name what `platefleet fleet backup` wrote.")
    if database.path is not None and is_the_store(file, database.path):
        raise StoreError(f"backup {file}: is the store itself; name what `platefleet fleet backup` wrote.")
    held = database.path is None or database.path.exists()
    if database.path is not None and held and not foreign:
        require_own(database.path, file)
    if held and not replace:
        with database.begin(any_schema=True) as connection:
            if _holds_records(connection, database):
                raise StoreError(f"store {database.what}: holds records; add --yes to replace them by {file}.")
    if database.path is not None:
        _copy_in(file, database.path)
    else:
        _put_back_dump(database, file)
    with database.begin(any_schema=True) as connection:
        schema = schema_of(connection, database.what)
    return f"store {database.what}: store {schema.id}, schema {schema.revision}, as in {file}; {FILLED}"


def _holds_records(connection: Connection, database: Database) -> bool:
    if schema_of(connection, database.what).revision == 0:
        return False
    return connection.execute(select(tables.coverage.c.device).limit(1)).first() is not None


def _copy_out(store: Path, part: Path, file: Path) -> None:
    def of_store(error: Exception) -> StoreError:
        return store_error(error, store) or StoreError(f"store {store}: {error}; see what SQLite says of it.")

    try:
        with closing(in_use(store)) as source:
            copy(source, part, of_source=of_store, of_target=lambda error: cannot_be_written(file, error))
    except (sqlite3.Error, OSError) as error:
        raise of_store(error) from error


def _copy_in(file: Path, store: Path) -> None:
    def of_backup(error: Exception) -> StoreError:
        return backup_error(error, file)

    def of_store(error: Exception) -> StoreError:
        return store_error(error, store) or StoreError(f"store {store}: {error}; see what SQLite says of it.")

    try:
        with closing(as_it_lies(file)) as source:
            _check_whole(source, file)
            copy(source, store, of_source=of_backup, of_target=of_store)
    except (sqlite3.Error, OSError) as error:
        raise of_backup(error) from error


def _check_whole(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise StoreError(f"backup {path}: is damaged; restore another one.")
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'coverage'").fetchone():
        raise StoreError(f"backup {path}: is no store's; name what `platefleet fleet backup` wrote.")


def _put_back_dump(database: Database, file: Path) -> None:
    _require_dump(file)
    put_back_dump(database.url, database.what, file, [*tables.METADATA.tables, VERSION_TABLE])


def _require_dump(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            begins = opened.read(len(DUMP))
    except OSError as error:
        raise backup_error(error, file) from error
    if begins != DUMP:
        raise StoreError(f"backup {file}: is no dump of PostgreSQL; name what `platefleet fleet backup` wrote.")
