"""What a database holds, seen from outside: plain SQL, without any of the code under test."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg


class Seen:
    """A second reader of a store's database."""

    def __init__(self, url: str | Path) -> None:
        self._path = str(url).removeprefix("sqlite:///")

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        if self._path.startswith("postgresql://"):
            with psycopg.connect(self._path) as connection:
                return connection.execute(query.replace("?", "%s"), values).fetchall()  # type: ignore[call-overload]
        with closing(sqlite3.connect(self._path, timeout=10)) as connection:
            return connection.execute(query, values).fetchall()

    def count(self, table: str) -> int:
        return int(self.rows(f'SELECT count(*) FROM "{table}"')[0][0])

    def plates(self) -> list[tuple[str, str, int, str]]:
        """(device, lane, revision, text) in the order of their names."""
        return self.rows("SELECT device, lane, revision, text FROM plates ORDER BY device, epoch, seq")

    def names(self) -> list[tuple[str, str, int]]:
        """(device, epoch, seq) of every record."""
        return self.rows("SELECT device, epoch, seq FROM records ORDER BY device, epoch, seq")

    def coverage(self) -> list[tuple[str, str, int, int]]:
        return self.rows('SELECT device, epoch, "first", "last" FROM coverage ORDER BY device, epoch, "first"')

    def covered_names(self) -> list[tuple[str, str, int]]:
        """Every name that coverage says is there."""
        return [
            (device, epoch, seq) for device, epoch, first, last in self.coverage() for seq in range(first, last + 1)
        ]
