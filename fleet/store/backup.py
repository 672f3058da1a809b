"""A store into a file and back: SQLite by its online copy, PostgreSQL by pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, select

from platefleet.fleet.store import tables
from platefleet.fleet.store.database import BUSY_TIMEOUT_S, Database, database_at
from platefleet.fleet.store.schema import schema_of
from platefleet.fleet.store.sqlite_errors import store_error
from platefleet.protocol.errors import StoreError

FILLED = "devices fill in what it lacks: they ask when they connect and every ten minutes"
PAGES_A_STEP = 1024
"""4 MiB; ingest commits between two steps."""


def back_up(url: str, file: Path) -> str:
    """Copy the store at `url` into `file`; return what was done. Raises ConfigError, StoreError."""
    database = database_at(url)
    with database.begin(any_schema=True) as connection:
        schema = schema_of(connection, database.what)
    if schema.revision == 0:
        raise StoreError(f"store {database.what}: empty; there is nothing to back up.")
    part = file.with_name(file.name + ".part")
    try:
        if database.path is not None:
            _copy(database.path, part)
        else:
            _run(database, "pg_dump", "--format=custom", "--no-owner", f"--file={part}")
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(file)
    except OSError as error:
        raise StoreError(f"backup {file}: cannot be written ({error}); name another file.") from error
    finally:
        part.unlink(missing_ok=True)
    return f"backup {file}: store {schema.id}, schema {schema.revision}, {file.stat().st_size / 1e6:.1f} MB"


def put_back(url: str, file: Path, *, replace: bool) -> str:
    """Put what `back_up` wrote in the place of the store at `url`; return what was done.

    Raises ConfigError, StoreError: also where the store holds records and `replace` is false.
    """
    database = database_at(url)
    if not file.is_file():
        raise StoreError(f"backup {file}: is not there; name what `platefleet fleet backup` wrote.")
    held = database.path is None or database.path.exists()
    if held and not replace:
        with database.begin(any_schema=True) as connection:
            if _holds_records(connection, database):
                raise StoreError(f"store {database.what}: holds records; add --yes to replace them by {file}.")
    if database.path is not None:
        _copy(file, database.path, check=True)
    else:
        _put_back_dump(database, file)
    with database.begin(any_schema=True) as connection:
        schema = schema_of(connection, database.what)
    return f"store {database.what}: store {schema.id}, schema {schema.revision}, as in {file}; {FILLED}"


def _holds_records(connection: Connection, database: Database) -> bool:
    if schema_of(connection, database.what).revision == 0:
        return False
    return connection.execute(select(tables.coverage.c.device).limit(1)).first() is not None


def _copy(source: Path, target: Path, *, check: bool = False) -> None:
    """Copy one SQLite database over another, as one transaction of the other. check: that `source` is a whole store."""
    try:
        os.stat(source)
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as one,
            closing(sqlite3.connect(target, timeout=BUSY_TIMEOUT_S)) as other,
        ):
            if check:
                _check_whole(one, source)
            one.backup(other, pages=PAGES_A_STEP)
    except (sqlite3.Error, OSError) as error:
        raise store_error(error, source) or error from error


def _check_whole(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise StoreError(f"backup {path}: is damaged; restore another one.")
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'coverage'").fetchone():
        raise StoreError(f"backup {path}: is no store's; name what `platefleet fleet backup` wrote.")


def _put_back_dump(database: Database, file: Path) -> None:
    """Replace the tables by those of the dump, in one transaction."""
    with file.open("rb") as opened:
        if opened.read(5) != b"PGDMP":
            raise StoreError(f"backup {file}: is no dump of PostgreSQL; name what `platefleet fleet backup` wrote.")
    _run(
        database, "pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error", file
    )


def _run(database: Database, program: str, *arguments: str | Path) -> None:
    """Run one of PostgreSQL's programs; the password goes by the environment, where no other user reads it."""
    from platefleet.fleet.store.postgresql import conninfo  # noqa: PLC0415 - an extra

    if shutil.which(program) is None:
        raise StoreError(f"backup: {program} is not installed; on Debian apt-get install postgresql-client brings it.")
    url = database.url
    environment = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}
    where = f"--dbname={conninfo(url._replace(password=None))}"
    done = subprocess.run([program, where, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split())[:300]
        raise StoreError(f"store {database.what}: {program} failed ({said}); what it says is what to mend.")
