"""One SQLite database over another, by SQLite's own copy: whatever fails is told of the file that it is about."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from platefleet.fleet.store.database import BUSY_TIMEOUT_S
from platefleet.protocol.errors import StoreError

PAGES_A_STEP = 1024
"""4 MiB; between two steps a person may end it."""
SIDES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database while it is used."""
Explain = Callable[[Exception], StoreError]


def as_it_lies(path: Path) -> sqlite3.Connection:
    """Open a database that nobody writes, and leave nothing beside it: a read-only folder is enough.

    With a log beside it that was never folded in, what is in that is read too, by SQLite's usual way.
    """
    log = path.with_name(path.name + "-wal")
    lies = "" if log.exists() and log.stat().st_size else "&immutable=1"
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro{lies}", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
    )


def in_use(path: Path) -> sqlite3.Connection:
    """Open a database that another program may be writing, to be read."""
    path.stat()  # SQLite would say of a file that is gone only that it cannot be opened
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
    )


def copy(source: sqlite3.Connection, target: Path, *, of_source: Explain, of_target: Explain) -> None:
    """Copy a whole database over the one at `target`, as one transaction of it; one that was not there is made.

    of_source, of_target: the sentence about the one or the other. A copy that fails leaves the target as it was.
    """
    new = not target.exists()
    try:
        with _told(of_source):
            # From one state of the source: without it each commit lets the copy begin again, and it never ends.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with _told(of_target), closing(sqlite3.connect(target, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # whatever is wrong with the target shows here, before a page is read
            other.execute("ROLLBACK")
            with _told(lambda error: of_source(error) if _damaged(error) else of_target(error)):
                source.backup(other, pages=PAGES_A_STEP)
    except BaseException:
        if new:
            for left in ("", *SIDES):
                target.with_name(target.name + left).unlink(missing_ok=True)
        raise


@contextmanager
def _told(explain: Explain) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise explain(error) from error


def _damaged(error: Exception) -> bool:
    return any(part in str(error) for part in ("malformed", "not a database"))
