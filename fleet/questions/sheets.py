"""Answers as a table, as lines of JSON, or as CSV, row by row: a million rows take no more memory than a page.

Whatever a cell holds, it steers no terminal and is no formula to a spreadsheet.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TextIO

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from platefleet.fleet.gate.escape import for_csv, for_terminal

Value = str | int | float | bool | None
Row = Mapping[str, object]
"""One row for programs: values, and lists or maps of them in JSON."""
Form = Literal["table", "json", "csv"]
ROWS_HELD = 100
GAP = 2
"""Blanks between two columns of a table."""


@dataclass(frozen=True, slots=True)
class Head:
    """One column of a table.

    spare: left out where the terminal is too narrow, the last such column first. least: of a text that is folded, the
    width down to which; 0: it is never folded.
    """

    name: str
    width: int
    right: bool = False
    spare: bool = False
    least: int = 0


def fitted(heads: Sequence[Head], width: int) -> list[tuple[int, Head]]:
    """Return the columns that a terminal has room for, with their numbers; a text gets what the others leave.

    >>> wide = [Head("when", 10), Head("by", 8, spare=True), Head("what", 40, least=10)]
    >>> [(n, head.width) for n, head in fitted(wide, 100)], [(n, head.width) for n, head in fitted(wide, 30)]
    ([(0, 10), (1, 8), (2, 40)], [(0, 10), (2, 16)])
    """
    chosen = list(enumerate(heads))

    def needed() -> int:
        return sum((head.least or head.width) + GAP for _, head in chosen)

    while needed() > width and any(head.spare for _, head in chosen):
        chosen.remove(next(each for each in reversed(chosen) if each[1].spare))
    room = max(0, width - needed())
    for at, (number, head) in enumerate(chosen):
        if head.least:
            more = min(head.width - head.least, room)
            room -= more
            chosen[at] = number, replace(head, width=head.least + more)
    return chosen


class Sheet(Protocol):
    """Where rows go. `cells`: for people; `row`: for programs."""

    def add(self, row: Row, cells: Sequence[str]) -> None:
        """Show one more row, at the latest when `flush` is called."""
        ...

    def flush(self) -> None:
        """Show what was added."""
        ...


class TableSheet:
    """Fixed columns for people, the names above the first row."""

    def __init__(self, out: TextIO, heads: Sequence[Head]) -> None:
        full = sum(head.width + GAP for head in heads)
        self._console = Console(file=out, highlight=False, soft_wrap=False, width=None if out.isatty() else full)
        self._heads = fitted(heads, self._console.width)
        self._begun = False
        self._rows: list[list[Text]] = []

    def add(self, row: Row, cells: Sequence[str]) -> None:  # noqa: ARG002  # the port's
        """Show one more row."""
        self._rows.append([Text(for_terminal(cells[n])) for n, _ in self._heads])
        if len(self._rows) >= ROWS_HELD:
            self.flush()

    def flush(self) -> None:
        """Print what was added; every part of the table has the same widths."""
        if not self._rows:
            return
        table = Table(
            *(
                Column(head.name, width=head.width, overflow="fold", justify="right" if head.right else "left")
                for _, head in self._heads
            ),
            box=None,
            pad_edge=False,
            padding=(0, GAP, 0, 0),
            show_header=not self._begun,
            header_style="bold",
        )
        for row in self._rows:
            table.add_row(*row)
        self._console.print(table)
        self._rows.clear()
        self._begun = True


class JsonSheet:
    """One JSON object a line, in ASCII."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def add(self, row: Row, cells: Sequence[str]) -> None:  # noqa: ARG002  # the port's
        """Show one more row."""
        self._out.write(as_json(row) + "\n")

    def flush(self) -> None:
        """Hand what was added to the reader."""
        self._out.flush()


class CsvSheet:
    """CSV with the names first, whether rows follow or not."""

    def __init__(self, out: TextIO, names: Sequence[str]) -> None:
        self._out, self._names = out, names
        out.write(as_csv(names))

    def add(self, row: Row, cells: Sequence[str]) -> None:  # noqa: ARG002  # the port's
        """Show one more row."""
        self._out.write(as_csv([row.get(name) for name in self._names]))

    def flush(self) -> None:
        """Hand what was added to the reader."""
        self._out.flush()


def sheet(form: Form, out: TextIO, heads: Sequence[Head], names: Sequence[str]) -> Sheet:
    """Return where rows go in the form that was asked for."""
    match form:
        case "json":
            return JsonSheet(out)
        case "csv":
            return CsvSheet(out, names)
        case _:
            return TableSheet(out, heads)


def as_json(row: Row) -> str:
    r"""Return one object on one line; what could steer a terminal is escaped.

    >>> as_json({"plate": "A\x1b1", "read": True})
    '{"plate": "A\\u001b1", "read": true}'
    """
    return json.dumps(row, ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f")


def as_csv(values: Sequence[object]) -> str:
    r"""Return one line of CSV in which no text is a formula.

    >>> as_csv(["=1+1", 0.5, None, True, 'a"b'])
    '\'=1+1,0.5,,true,"a""b"\n'
    """
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([_cell(value) for value in values])
    return line.getvalue()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            return for_csv(str(value))
