"""What `platefleet read` prints for people: each row as soon as it is known, so columns are fixed before the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from rich.cells import cell_len, set_cell_size

from platefleet.protocol.printable import printable

BOX_LEAST = 100
"""Columns of a terminal from which on the box of a plate is shown; `--json` always has it."""
NAME_LEAST = 16
GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and how wide what stands under it may become. key: its place in a row."""

    key: str
    width: int
    right: bool = False


FRAME = Column("frame", 6, right=True)
BOX = Column("box", 19)
OTHERS = (Column("plate", 12), Column("sure", 4, right=True), Column("least", 5, right=True), Column("vehicle", 10))
TIME = Column("ms", 5, right=True)


def columns(names: Sequence[str], *, videos: bool, width: int | None) -> tuple[Column, ...]:
    """Return the columns for these files. width: of the terminal; None: nobody counts, so everything is shown.

    >>> [column.key for column in columns(["a.jpg"], videos=False, width=80)]
    ['file', 'plate', 'sure', 'least', 'vehicle', 'ms']
    """
    box = (BOX,) if width is None or width >= BOX_LEAST else ()
    rest = (*((FRAME,) if videos else ()), *OTHERS, *box, TIME)
    longest = max((cell_len(printable(name)) for name in names), default=0)
    if width is not None:
        room = width - sum(column.width + len(GAP) for column in rest)
        longest = min(longest, max(NAME_LEAST, room))
    return Column("file", max(len("file"), longest)), *rest


class Rows:
    """Writes rows to a stream, each at once; the headings come with the first."""

    def __init__(self, out: TextIO, shown: Sequence[Column]) -> None:
        self._out, self._columns = out, shown
        self._begun = False

    def add(self, **cells: str) -> None:
        """Write one row."""
        if not self._begun:
            self._begun = True
            self._write({column.key: column.key for column in self._columns})
        self._write(cells)

    def _write(self, cells: dict[str, str]) -> None:
        shown = [_fitted(printable(cells.get(column.key, "")), column) for column in self._columns]
        self._out.write(GAP.join(shown).rstrip() + "\n")
        self._out.flush()


def _fitted(text: str, column: Column) -> str:
    """Return a cell of the column's width; of a path that is too long its end, which tells files apart."""
    over = cell_len(text) - column.width
    if over > 0 and column.key == "file":
        text = "…" + text[over + 1 :]
    if column.right:
        return " " * max(0, -over) + text
    return set_cell_size(text, column.width) if over <= 0 or column.key == "file" else text
