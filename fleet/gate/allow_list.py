"""The allow-list: a CSV file of plates with when they are valid. What a whole file means, or why it cannot be used.

    plate,valid_from,valid_until,weekdays,name
    B-AB 1234,2026-01-01,2026-12-31,mon-fri,Müller

A file is taken as a whole or not at all: a line that cannot be understood might be the one that ends somebody's right.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from platefleet.fleet.gate.escape import for_terminal
from platefleet.fleet.gate.match import EXACT, Absent, Ambiguous, Index, Matching, find
from platefleet.fleet.gate.verdicts import Judgement
from platefleet.protocol.errors import GateError
from platefleet.protocol.messages import CharacterRead

COLUMNS = ("plate", "valid_from", "valid_until", "weekdays", "name")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SEPARATORS = " -.·•_/:\u00a0\u2010\u2011\u2012\u2013\u2014"
"""What people write between the groups of a plate; no reader tells it."""
LIMIT_BYTES = 32 * 1024 * 1024
LIMIT_LINES = 500_000
"""Fifty times the plates of the largest car park that we were told of; more is another file."""
MOST_TOLD = 5
"""In one sentence, as health has it."""
MOST_LISTED = 50
"""On lines of their own, for a person."""
LONGEST_PLATE = 12
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a plate and when it may come in. Dates are days of the gate's zone, both included; 0 is Monday."""

    plate: str
    valid_from: dt.date | None = None
    valid_until: dt.date | None = None
    weekdays: frozenset[int] = frozenset()
    name: str = ""
    line: int = 0

    @property
    def dated(self) -> bool:
        """Whether the day has to be known to judge it."""
        return bool(self.valid_from or self.valid_until or self.weekdays)

    def valid_on(self, day: dt.date) -> bool:
        """Return whether the plate may come in on `day`."""
        return (
            (self.valid_from is None or day >= self.valid_from)
            and (self.valid_until is None or day <= self.valid_until)
            and (not self.weekdays or day.weekday() in self.weekdays)
        )

    @property
    def when(self) -> str:
        """When it is valid, for a person.

        >>> Entry("AB1", dt.date(2026, 1, 1), None, frozenset({0, 4})).when
        'from 2026-01-01 on mon fri'
        """
        parts = [f"from {self.valid_from}"] if self.valid_from else []
        parts += [f"until {self.valid_until}"] if self.valid_until else []
        parts += [f"on {' '.join(WEEKDAYS[day] for day in sorted(self.weekdays))}"] if self.weekdays else []
        return " ".join(parts) or "always"


@dataclass(frozen=True)
class AllowList:
    """The lines of one file. version: of its bytes; two lists with one version say the same."""

    entries: tuple[Entry, ...] = ()
    version: str = ""
    matching: Matching = field(default=EXACT)

    @cached_property
    def by_plate(self) -> dict[str, tuple[Entry, ...]]:
        """The lines of each plate; a plate may have several, for several times."""
        found: dict[str, tuple[Entry, ...]] = {}
        for entry in self.entries:
            found[entry.plate] = (*found.get(entry.plate, ()), entry)
        return found

    @cached_property
    def index(self) -> Index:
        """The plates as the matcher looks them up."""
        return Index(self.by_plate)

    def prepare(self) -> AllowList:
        """Build what the first judgement would build, so that no car waits for it; returns itself."""
        assert self.index is not None
        return self

    def judge(self, text: str, characters: Sequence[CharacterRead], day: dt.date | None) -> Judgement:
        """Return whether the plate that was read may come in today. day: in the gate's zone, None: the clock is bad."""
        match find(self.index, text, characters, self.matching):
            case Absent(near, why):
                return Judgement(
                    "not on the list", f"{near} looks like it, but {why}" if near else "no line has this plate"
                )
            case Ambiguous(plates):
                return Judgement("ambiguous", f"equally near: {', '.join(plates)}")
            case found:
                return self._valid(found.plate, found.substitutions, day)

    def _valid(self, plate: str, substitutions: int, day: dt.date | None) -> Judgement:
        lines = self.by_plate[plate]
        how = f"{plate} by {substitutions} look-alike{'s' if substitutions > 1 else ''}" if substitutions else plate
        for entry in lines:
            if not entry.dated or (day is not None and entry.valid_on(day)):
                return Judgement("opened", f"{how}, line {entry.line}", plate)
        if day is None:
            return Judgement(
                "clock", f"{how} has dates, and this gate's clock is not good (NTP, or assume_synced)", plate
            )
        return Judgement(
            "not valid now", f"{how} is valid {' or '.join(e.when for e in lines[:3])}, not on {day}", plate
        )


def plate_of(written: str, alphabet: str = ALPHABET) -> str:
    """Return a plate as the reader tells it: upper case, nothing between the groups. Raises ValueError with the reason.

    >>> plate_of("b-ab 1234")
    'BAB1234'
    """
    plate = "".join(c.upper() if c.isascii() else c for c in written.strip() if c not in SEPARATORS)
    if not plate:
        raise ValueError("there is no plate")
    strange = sorted({c for c in plate if c not in alphabet})
    if strange:
        shown = " ".join(for_terminal(c) for c in strange[:4])
        raise ValueError(f"the plate {for_terminal(written, 40)} has {shown}, which no reader of this gate tells")
    if len(plate) > LONGEST_PLATE:
        raise ValueError(f"the plate {for_terminal(written, 40)} is longer than {LONGEST_PLATE} characters")
    return plate


def day_of(written: str) -> dt.date | None:
    """Return a day, None for an empty cell. Raises ValueError unless it is written as 2026-12-31."""
    text = written.strip()
    if not text:
        return None
    try:
        if len(text) == 10 and text[4] == text[7] == "-":
            return dt.date(int(text[:4]), int(text[5:7]), int(text[8:]))
    except ValueError:
        raise ValueError(f"{for_terminal(text, 40)} is no day; write it as 2026-12-31") from None
    raise ValueError(f"{for_terminal(text, 40)} is no day; write it as 2026-12-31")


def weekdays_of(written: str) -> frozenset[int]:
    """Return weekdays, 0 for Monday; none of them means every day. Raises ValueError with the reason.

    >>> sorted(weekdays_of("mon-wed sun"))
    [0, 1, 2, 6]
    """
    days: set[int] = set()
    for part in written.lower().replace(",", " ").replace(";", " ").split():
        ends = part.split("-")
        if len(ends) > 2 or any(end not in WEEKDAYS for end in ends):
            raise ValueError(f"{for_terminal(part, 40)} is no weekday; write them as mon-fri or sat sun")
        first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
        days.update((first + step) % 7 for step in range((last - first) % 7 + 1))
    return frozenset(days)


def parse(data: bytes, source: str, matching: Matching = EXACT, alphabet: str = ALPHABET) -> AllowList:
    """Return what the bytes of a file mean. Raises GateError that names the lines that cannot be used, and why.

    UTF-8 with or without a byte-order mark, `,` or `;` between cells, LF or CR LF; empty lines and lines that begin
    with `#` say nothing. The header is required and may name the columns in any order; only `plate` has to be there.
    """
    entries: list[Entry] = []
    wrong: list[str] = []
    try:
        table = Table.of(data)
        for number, line in table.rows():
            try:
                entries.append(_entry(table.cells(line), number, alphabet))
            except ValueError as error:  # noqa: PERF203  # every bad line is named, not the first alone
                wrong.append(f"line {number}: {error}")
    except ValueError as error:
        wrong.append(str(error))
    if wrong:
        raise _broken(source, wrong)
    return AllowList(tuple(entries), hashlib.sha256(data).hexdigest(), matching)


def _broken(source: str, wrong: Sequence[str]) -> GateError:
    more = f"; and {len(wrong) - MOST_TOLD} more lines" if len(wrong) > MOST_TOLD else ""
    error = GateError(f"{source}: {'; '.join(wrong[:MOST_TOLD])}{more}; correct the file.")
    rest = (f"{source}: and {len(wrong) - MOST_LISTED} more lines; correct the file.",)
    error.problems = tuple(f"{source}: {each}." for each in wrong[:MOST_LISTED])
    error.problems += rest if len(wrong) > MOST_LISTED else ()
    return error


def _entry(row: dict[str, str], number: int, alphabet: str) -> Entry:
    entry = Entry(
        plate_of(row["plate"], alphabet),
        day_of(row.get("valid_from", "")),
        day_of(row.get("valid_until", "")),
        weekdays_of(row.get("weekdays", "")),
        row.get("name", "").strip()[:LONGEST_NAME],
        number,
    )
    if entry.valid_from and entry.valid_until and entry.valid_from > entry.valid_until:
        raise ValueError(f"valid_from {entry.valid_from} lies after valid_until {entry.valid_until}")
    return entry


@dataclass(frozen=True)
class Table:
    """A file's lines without their ends, where its header is, and what stands between its cells."""

    lines: tuple[str, ...]
    header: int
    columns: tuple[str, ...]
    delimiter: str

    @classmethod
    def of(cls, data: bytes) -> Table:
        """Return the table in a file. Raises ValueError if there is no header that can be used."""
        if len(data) > LIMIT_BYTES:
            raise ValueError(f"larger than {LIMIT_BYTES} bytes")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            raise ValueError(f"line {line}: not UTF-8; save the file as CSV UTF-8") from error
        lines = tuple(text.split("\n"))
        if len(lines) > LIMIT_LINES:
            raise ValueError(f"more than {LIMIT_LINES} lines")
        header = next((at for at, line in enumerate(lines) if says_something(line)), None)
        if header is None:
            raise ValueError(f"there is no header; the first line has to be {','.join(COLUMNS)}")
        delimiter = ";" if ";" in lines[header] else ","
        columns = tuple(_column(cell) for cell in split(lines[header], delimiter))
        unknown = [column for column in columns if column not in COLUMNS]
        if "plate" not in columns or unknown or len(set(columns)) != len(columns):
            shown = for_terminal(lines[header].strip(), 80)
            raise ValueError(f"line {header + 1}: {shown} is no header; it has to name columns of {','.join(COLUMNS)}")
        return cls(lines, header, columns, delimiter)

    def rows(self) -> Iterator[tuple[int, str]]:
        """Yield the number (from 1) and the text of each line below the header that says something."""
        for number, line in enumerate(self.lines[self.header + 1 :], start=self.header + 2):
            if says_something(line):
                yield number, line

    def cells(self, line: str) -> dict[str, str]:
        """Return a line's cells by column; what is missing at its end is empty. Raises ValueError with the reason."""
        cells = split(line, self.delimiter)
        while len(cells) > len(self.columns) and not cells[-1].strip():
            cells.pop()
        if len(cells) > len(self.columns):
            raise ValueError(f"{len(cells)} cells where the header has {len(self.columns)}")
        return dict(zip(self.columns, cells + [""] * (len(self.columns) - len(cells)), strict=True))


def _column(cell: str) -> str:
    """Return the column that a cell of the header means.

    >>> [_column(cell) for cell in ("Valid from", " until", "PLATE")]
    ['valid_from', 'valid_until', 'plate']
    """
    name = cell.strip().lower().replace(" ", "_").replace("-", "_")
    return {"from": "valid_from", "until": "valid_until", "days": "weekdays"}.get(name, name)


def says_something(line: str) -> bool:
    """Return whether a line is neither empty nor a comment."""
    return bool(line.strip(" \t\r,;")) and not line.lstrip().startswith("#")


def split(line: str, delimiter: str) -> list[str]:
    """Return a line's cells. Raises ValueError for a quote that does not end on its line."""
    if line.count('"') % 2:
        raise ValueError("a quote does not end on its line")
    try:
        return next(csv.reader([line.rstrip("\r")], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise ValueError(f"no CSV ({error})") from error
