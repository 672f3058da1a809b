"""Rows of figures as a table: what has more figures than rows is laid on its side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table


def table_of(title: str, rows: Sequence[dict[str, Any]]) -> Table:
    """Return a table of the rows' plain values; lists and mappings stand in the JSON alone."""
    names = [
        name for name in dict.fromkeys(key for row in rows for key in row) if any(_plain(r.get(name)) for r in rows)
    ]
    cells = [["" if row.get(name) is None else str(row[name]) for name in names] for row in rows]
    table = Table(title=title, title_justify="left")
    if len(names) <= max(len(rows), 6):
        for name in names:
            table.add_column(name)
        for row in cells:
            table.add_row(*map(escape, row))
        return table
    table.add_column(names[0])
    for row in cells:
        table.add_column(row[0])
    for index, name in enumerate(names[1:], 1):
        table.add_row(name, *(escape(row[index]) for row in cells))
    return table


def _plain(value: object) -> bool:
    return isinstance(value, str | int | float)
