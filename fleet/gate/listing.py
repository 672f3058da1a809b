"""The allow-list shown to a person: nothing in it steers their terminal or runs in their spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from platefleet.fleet.gate.allow_list import COLUMNS, LIMIT_BYTES, WEEKDAYS, Entry, parse
from platefleet.fleet.gate.escape import for_csv, for_terminal
from platefleet.protocol.errors import GateError


def read(path: Path, alphabet: str) -> tuple[Entry, ...]:
    """Return the lines of a list. Raises GateError."""
    try:
        with path.open("rb") as file:
            return parse(file.read(LIMIT_BYTES + 1), str(path), alphabet=alphabet).entries
    except OSError as error:
        raise GateError(f"{path}: the allow-list cannot be read ({error.strerror}); check path and rights.") from error


def as_table(entries: Sequence[Entry]) -> str:
    r"""Return the lines for a terminal.

    >>> print(as_table([Entry("AB1", name="Mü\x1bller")]), end="")
    AB1           always                         Mü\x1bller
    """
    return "".join(f"{e.plate:<12}  {e.when:<29}  {for_terminal(e.name)}".rstrip() + "\n" for e in entries)


def as_csv(entries: Sequence[Entry]) -> str:
    """Return the lines as CSV in which no cell is a formula.

    >>> print(as_csv([Entry("AB1", weekdays=frozenset({5, 6}), name="=1+1")]), end="")
    plate,valid_from,valid_until,weekdays,name
    AB1,,,sat sun,'=1+1
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for e in entries:
        days = " ".join(WEEKDAYS[day] for day in sorted(e.weekdays))
        writer.writerow([e.plate, e.valid_from or "", e.valid_until or "", days, for_csv(e.name)])
    return text.getvalue()
