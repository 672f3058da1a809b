"""A store into a file and back: SQLite by its online copy, PostgreSQL by pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import Connection, select

from platefleet.fleet.store import tables
from platefleet.fleet.store.database import BUSY_TIMEOUT_S, Database, database_at
from platefleet.fleet.store.schema import VERSION_TABLE, schema_of
from platefleet.fleet.store.sqlite_errors import store_error
from platefleet.protocol.errors import StoreError

FILLED = "devices fill in what it lacks: they ask when they connect and every ten minutes"
PAGES_A_STEP = 1024
"""4 MiB; between two steps a person may end it."""


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
    name = f"{source.absolute().as_uri()}?mode=ro"
    try:
        os.stat(source)
        with (
            closing(sqlite3.connect(name, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as one,
            closing(sqlite3.connect(target, timeout=BUSY_TIMEOUT_S)) as other,
        ):
            if check:
                _check_whole(one, source)
            # From one state of the source: without it each commit lets the copy begin again, and it never ends.
            one.execute("BEGIN")
            one.execute("SELECT 1 FROM sqlite_master").fetchone()
            one.backup(other, pages=PAGES_A_STEP)
    except (sqlite3.Error, OSError) as error:
        raise store_error(error, source) or error from error


def _check_whole(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise StoreError(f"backup {path}: is damaged; restore another one.")
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'coverage'").fetchone():
        raise StoreError(f"backup {path}: is no store's; name what `platefleet fleet backup` wrote.")


def _put_back_dump(database: Database, file: Path) -> None:
    """Replace the tables by those of the dump, in one transaction, committed once the dump was read to its end."""
    with file.open("rb") as opened:
        if opened.read(5) != b"PGDMP":
            raise StoreError(f"backup {file}: is no dump of PostgreSQL; name what `platefleet fleet backup` wrote.")
    names = ", ".join([*tables.METADATA.tables, VERSION_TABLE])
    environment = _environment(database)
    psql = [_program("psql"), _where(database), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    with subprocess.Popen(psql, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as taking:
        assert taking.stdin is not None
        assert taking.stderr is not None
        with suppress(BrokenPipeError):  # it ended: what it said is told below
            taking.stdin.write(f"BEGIN; DROP TABLE IF EXISTS {names} CASCADE;\n".encode())
            taking.stdin.flush()
            reading = [_program("pg_restore"), "--no-owner", "--exit-on-error", "--file=-", str(file)]
            done = subprocess.run(reading, stdout=taking.stdin, stderr=subprocess.PIPE, check=False)
            if done.returncode == 0:
                taking.stdin.write(b"\nCOMMIT;\n")
        with suppress(BrokenPipeError):
            taking.stdin.close()
        said = taking.stderr.read()
    if taking.returncode or done.returncode:
        raise _failed(database, "pg_restore", said or done.stderr)


def _run(database: Database, program: str, *arguments: str) -> None:
    command = [_program(program), _where(database), *arguments]
    done = subprocess.run(command, env=_environment(database), capture_output=True, check=False)
    if done.returncode:
        raise _failed(database, program, done.stderr)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise StoreError(f"backup: {name} is not installed; on Debian apt-get install postgresql-client brings it.")
    return found


def _where(database: Database) -> str:
    from platefleet.fleet.store.postgresql import conninfo  # noqa: PLC0415 - an extra

    return f"--dbname={conninfo(database.url._replace(password=None))}"


def _environment(database: Database) -> dict[str, str]:
    """Return the environment with the password, which no other user reads there, unlike a command line."""
    password = database.url.password
    return {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}


def _failed(database: Database, program: str, said: bytes) -> StoreError:
    told = " ".join(said.decode(errors="replace").split())[:300]
    return StoreError(f"store {database.what}: {program} failed ({told}); mend what it names.")
