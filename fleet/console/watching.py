"""Watching commands: a bar for each on a terminal, a line for each change elsewhere; until all are over."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from rich.console import Console as Terminal
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from sqlalchemy import Row

from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.printable import printable

LOOK_S = 0.5


def watch(url: str, ids: Sequence[str], out: TextIO, *, pause: Callable[[float], None] = time.sleep) -> bool:
    """Show how commands go until all are over; return whether all succeeded. Raises StoreError."""
    database = ConsoleDatabase(url, now_utc_ns=SystemClock().now().utc_ns, make=False)
    try:
        asked = Asked(database)
        show = _bars if out.isatty() else _lines
        return show(asked, ids, out, pause)
    finally:
        database.close()


def _lines(asked: Asked, ids: Sequence[str], out: TextIO, pause: Callable[[float], None]) -> bool:
    said: dict[str, str] = {}
    while True:
        rows = asked.commands(ids)
        for row in rows:
            line = f"{row.device}: {row.operation} {row.state}{_what(row)}"
            if said.get(row.id) != line:
                said[row.id] = line
                out.write(printable(line) + "\n")
                out.flush()
        if not any(row.open for row in rows):
            return _all_well(rows)
        pause(LOOK_S)


def _bars(asked: Asked, ids: Sequence[str], out: TextIO, pause: Callable[[float], None]) -> bool:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[says]}"), TimeElapsedColumn())
    with Progress(*columns, console=Terminal(file=out)) as bars:
        tasks: dict[str, TaskID] = {}
        while True:
            rows = asked.commands(ids)
            for row in rows:
                if row.id not in tasks:
                    tasks[row.id] = bars.add_task(f"{row.device} {row.operation}", total=None, says="")
                known = row.fraction is not None or not row.open
                bars.update(
                    tasks[row.id],
                    total=1.0 if known else None,
                    completed=1.0 if not row.open else (row.fraction or 0.0),
                    says=printable(f"{row.state}{_what(row)}")[:80].replace("[", "("),
                )
            if not any(row.open for row in rows):
                return _all_well(rows)
            pause(LOOK_S)


def _what(row: Row[Any]) -> str:
    if row.state == "running" and row.step:
        share = f" {row.fraction:.0%}" if row.fraction is not None else ""
        return f": {row.step}{share}"
    return f": {row.reason}" if row.reason else ""


def _all_well(rows: Sequence[Row[Any]]) -> bool:
    return all(row.state == "succeeded" for row in rows)
