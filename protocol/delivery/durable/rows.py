"""The rows of records: every statement about them. Ranges are inclusive, of row numbers."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

_BOTH = """
SELECT id, size, mono, utc, 0 FROM records WHERE id BETWEEN :first AND :last
UNION ALL
SELECT id, size, mono, utc, 1 FROM crops WHERE id BETWEEN :first AND :last
ORDER BY 1 LIMIT :most
"""
_INSERT = "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)"
_INSERT_CROPS = "INSERT OR REPLACE INTO crops VALUES (?, ?, ?, ?, ?)"
_CROPS = "SELECT id, size, mono, utc, 1 FROM crops WHERE id BETWEEN :first AND :last ORDER BY 1 LIMIT :most"


class Row(NamedTuple):
    """A row without its frame. mono, utc: when it was appended, ns; utc is 0 while no clock was believed."""

    id: int
    size: int
    mono: int
    utc: int
    crops: int


class Tally(NamedTuple):
    """How many rows and bytes, and how many of the rows are crops."""

    rows: int
    size: int
    crops: int


def insertion(row: Row, frame: bytes) -> tuple[str, tuple[int | bytes, ...]]:
    """Return the statement that writes a row, and its parameters; one of the same number is replaced."""
    return _INSERT_CROPS if row.crops else _INSERT, (row.id, row.size, row.mono, row.utc, frame)


def insert(connection: sqlite3.Connection, row: Row, frame: bytes) -> None:
    """Write a row; one of the same number is replaced."""
    connection.execute(*insertion(row, frame))


def delete(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Delete rows; those that are not there do not matter."""
    numbers = [(number,) for number in sorted(ids)]
    connection.executemany("DELETE FROM records WHERE id = ?", numbers)
    connection.executemany("DELETE FROM crops WHERE id = ?", numbers)


def frame(connection: sqlite3.Connection, number: int) -> bytes | None:
    """Return a row's frame, or None if there is no such row."""
    found = connection.execute(
        "SELECT frame FROM records WHERE id = ?1 UNION ALL SELECT frame FROM crops WHERE id = ?1", (number,)
    ).fetchone()
    return None if found is None else bytes(found[0])


def one(connection: sqlite3.Connection, number: int) -> Row | None:
    """Return a row, or None if there is no such row."""
    return next(iter(page(connection, number, number, 1)), None)


def page(connection: sqlite3.Connection, first: int, last: int, most: int, *, crops: bool = False) -> Sequence[Row]:
    """Return up to `most` rows in order. crops: of crops only."""
    found = connection.execute(_CROPS if crops else _BOTH, {"first": first, "last": last, "most": most})
    return [Row(*row) for row in found.fetchall()]


def ids(connection: sqlite3.Connection, first: int, last: int) -> Iterator[int]:
    """Give the numbers of all rows, in order."""
    while found := page(connection, first, last, 4096):
        yield from (row.id for row in found)
        first = found[-1].id + 1


def tally(connection: sqlite3.Connection, first: int, last: int, without: Collection[int]) -> Tally:
    """Count the rows, but for those of the numbers `without`; as of one moment."""
    left_out = ", ".join(str(number) for number in without if first <= number <= last)
    ours = f"id BETWEEN ? AND ? AND id NOT IN ({left_out})"
    records, size, crops, crops_size = connection.execute(
        f"SELECT * FROM (SELECT count(*), total(size) FROM records WHERE {ours}), "  # noqa: S608  # numbers
        f"(SELECT count(*), total(size) FROM crops WHERE {ours})",
        (first, last, first, last),
    ).fetchone()
    return Tally(records + crops, int(size + crops_size), crops)


def newest(connection: sqlite3.Connection, first: int, last: int) -> int:
    """Return the highest number in the range, or `first` - 1."""
    found = [first - 1]
    for table in ("records", "crops"):
        select = f"SELECT max(id) FROM {table} WHERE id BETWEEN ? AND ?"  # noqa: S608  # two names
        found += [number for (number,) in connection.execute(select, (first, last)) if number is not None]
    return max(found)
