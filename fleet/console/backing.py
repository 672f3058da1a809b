"""The console's database into a file and back: SQLite by its online copy, PostgreSQL by pg_dump of its tables.

What a backup does not know, devices tell: a status of a command that it lacks is taken as it comes, and what a device
chose since raises the version that the next order builds on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from sqlalchemy import func, select

from platefleet.fleet.console import tables
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.serving import FileLock
from platefleet.fleet.store.backup_place import (
    DUMP,
    cannot_be_written,
    id_in,
    is_the_store,
    require_place,
    written_beside,
)
from platefleet.fleet.store.opening import parse, path_of
from platefleet.fleet.store.postgresql_dump import dump, put_back_dump, tables_in
from platefleet.fleet.store.sqlite_copy import as_it_lies, copy, in_use
from platefleet.fleet.store.sqlite_errors import backup_error, store_error
from platefleet.protocol.errors import StoreError

NAMES = tuple(tables.metadata.tables)
CONSOLE = "console"
HELD = {"commands": tables.command, "devices": tables.device, "desired states": tables.desired, "trusts": tables.trust}


def back_up(url: str, file: Path, *, now_utc_ns: int, replace: bool = False) -> str:
    """Copy the console's database into `file`, while the service runs; return what was done.

    replace: also over a file that is no earlier backup of this console. Raises ConfigError, StoreError.
    """
    path = _path(url)
    if path is not None and not path.exists():
        raise StoreError(f"console {path}: is not there; there is nothing to back up.")
    database = ConsoleDatabase(url, now_utc_ns=now_utc_ns)
    try:
        id_, commands = _held(database)
        require_place(file, path, id_, replace=replace, kind=CONSOLE)
        with written_beside(file) as part:
            if path is None:
                dump(database.url, database.what, part, file, NAMES, kind=CONSOLE)
            else:
                explain = _of_console(path)
                with _told(explain), closing(in_use(path)) as source:
                    copy(source, part, of_source=explain, of_target=lambda error: cannot_be_written(file, error))
    finally:
        database.close()
    return f"backup {file}: console {id_}, {commands} commands, {file.stat().st_size / 1e6:.1f} MB"


def put_back(url: str, file: Path, *, now_utc_ns: int, replace: bool) -> str:
    """Put what `back_up` wrote in the place of the console's database; return what was done.

    Raises ConfigError, StoreError: also where it holds anything and `replace` is false.
    """
    path = _path(url)
    if not file.is_file():
        raise StoreError(f"backup {file}: is not there; name what `platefleet console backup` wrote.")
    if path is not None and is_the_store(file, path):
        raise StoreError(f"backup {file}: is the console itself; name what `platefleet console backup` wrote.")
    if path is not None:
        with _told(_of_console(path)):
            there = path.parent.is_dir()
        if not there:  # a typing error makes no console beside the one that is meant
            raise StoreError(f"console {path}: its folder is not there; make it, or correct the address.")
    _require_console(file, dumped=path is None)
    with ExitStack() as stack:  # no service begins until all of it is there
        if path is not None:
            with _told(_of_console(path)):
                lock = FileLock(path.resolve(), url)
            stack.callback(lock.release)
        if path is None or (path.exists() and path.stat().st_size):
            database = stack.enter_context(closing(ConsoleDatabase(url, now_utc_ns=now_utc_ns)))
            if path is None:
                stack.enter_context(database.serving())
            held = _holding(database)
            if held and not replace:
                raise StoreError(f"console {database.what}: holds {held}; add --yes to replace them by {file}.")
        if path is None:
            put_back_dump(parse(url), parse(url).render_as_string(), file, NAMES, kind=CONSOLE)
        else:
            with _told(lambda error: backup_error(error, file)), closing(as_it_lies(file)) as source:
                if source.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                    raise StoreError(f"backup {file}: is damaged; restore another one.")
                copy(source, path, of_source=lambda error: backup_error(error, file), of_target=_of_console(path))
    database = ConsoleDatabase(url, now_utc_ns=now_utc_ns)
    try:
        id_, commands = _held(database)
    finally:
        database.close()
    return f"console {database.what}: console {id_}, {commands} commands, as in {file}; what it lacks, devices tell"


def _held(database: ConsoleDatabase) -> tuple[str, int]:
    """Return the console's id and how many commands it holds."""
    with database.begin() as connection:
        id_ = connection.execute(select(tables.console.c.id)).scalar_one()
        return str(id_), connection.execute(select(func.count()).select_from(tables.command)).scalar_one()


def _holding(database: ConsoleDatabase) -> str:
    """Return what would be lost, in words; empty: nothing."""
    with database.begin() as connection:
        counts = [(connection.scalar(select(func.count()).select_from(table)), name) for name, table in HELD.items()]
    return ", ".join(f"{count} {name}" for count, name in counts if count)


def _require_console(file: Path, *, dumped: bool) -> None:
    """Raise StoreError for a file that is no backup of a console, or of the other kind of database."""
    try:
        with file.open("rb") as opened:
            begins = opened.read(16)
    except OSError as error:
        raise backup_error(error, file) from error
    if begins.startswith(DUMP) != dumped:
        other = "a dump of PostgreSQL" if begins.startswith(DUMP) else "no dump of PostgreSQL"
        raise StoreError(f"backup {file}: is {other}; restore it where it was made, or name another one.")
    ours = set(NAMES) <= tables_in(file) if dumped else bool(id_in(file, CONSOLE))
    if not ours:
        raise StoreError(f"backup {file}: is no console's; name what `platefleet console backup` wrote.")


def _path(url: str) -> Path | None:
    parsed = parse(url)
    return path_of(parsed).absolute() if parsed.get_backend_name() == "sqlite" else None


def _of_console(path: Path) -> Callable[[Exception], StoreError]:
    return lambda error: store_error(error, path) or StoreError(f"console {path}: {error}; see what SQLite says of it.")


@contextmanager
def _told(explain: Callable[[Exception], StoreError]) -> Iterator[None]:
    """Turn what SQLite and the disk raise into a sentence."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise explain(error) from error
