"""Which passes fit: the statements, each of one index, and their pages merged into one order. No OFFSET anywhere.

Events are ordered by when their picture was taken, newest first. What a device stamped before its clock was good comes
from a statement of its own, under the time that the boot's offset gives.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    literal_column,
    or_,
    select,
    tuple_,
)

from platefleet.fleet.questions.clocks import BOOTS
from platefleet.fleet.questions.plates import Plates
from platefleet.fleet.questions.reading import Reader
from platefleet.fleet.store import tables

PAGE = 500
"""Rows a statement returns; a page is held in memory."""
ROWS_HELD = 10_000
"""Rows held in memory by all statements of one question together."""
TEXTS_A_STATEMENT = 500
"""SQLite takes at least 999 parameters in one statement (source: sqlite.org/limits.html, item 9)."""
LAST_CHARACTER = "\U0010ffff"

P = tables.plates.alias("p")
NEWER = tables.plates.alias("newer")
R = tables.records.alias("r")
UNSYNCED: ColumnElement[str] = literal_column("'unsynced'")
"""Written into the statement, or no planner would know that the index of such rows fits."""
NAME = (P.c.device, P.c.epoch, P.c.seq)
Found = dict[str, Any]
"""One event as the statements return it."""
Key = tuple[int, str, str, int]
"""(when, device, epoch, seq): the order of events, and where a page ends."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events a person asks for; None and empty mean any. since and until: UTC nanoseconds, both included."""

    plates: Plates = field(default_factory=Plates)
    device: str = ""
    lane: str = ""
    since_ns: int | None = None
    until_ns: int | None = None
    all_revisions: bool = False


@dataclass(frozen=True, slots=True)
class Stream:
    """One statement's part of the answer. at: by what it is ordered, and what `Wanted`'s times are compared with."""

    wanted: Wanted
    corrects: bool
    corrected: bool

    @property
    def at(self) -> ColumnElement[int]:
        """When the picture was taken."""
        return P.c.captured_mono_ns + BOOTS.c.utc_minus_mono_ns if self.corrected else P.c.captured_utc_ns

    def page(self, before: Key | None, size: int) -> Select[Any]:
        """Return the statement for the next `size` events older than `before`."""
        statement = _rows(self.at, self.corrects, self.corrected).where(*_conditions(self.wanted, self.corrected))
        if self.wanted.since_ns is not None:
            statement = statement.where(self._from(self.wanted.since_ns))
        bounds = [ns for ns in (self.wanted.until_ns, None if before is None else before[0]) if ns is not None]
        if bounds:
            statement = statement.where(self._to(min(bounds)))
        if before is not None:
            at_ns, *name = before
            statement = statement.where(or_(self.at < at_ns, and_(self.at == at_ns, tuple_(*NAME) < tuple_(*name))))
        return statement.order_by(self.at.desc(), *(part.desc() for part in NAME)).limit(size)

    def _from(self, ns: int) -> ColumnElement[bool]:
        return P.c.captured_mono_ns >= ns - BOOTS.c.utc_minus_mono_ns if self.corrected else self.at >= ns

    def _to(self, ns: int) -> ColumnElement[bool]:
        return P.c.captured_mono_ns <= ns - BOOTS.c.utc_minus_mono_ns if self.corrected else self.at <= ns


def newest_first(reader: Reader, wanted: Wanted) -> Iterator[Found]:
    """Yield the events that fit, newest first, a page of each statement at a time."""
    streams = tuple(_streams(reader, wanted))
    size = max(10, min(PAGE, ROWS_HELD // max(1, len(streams))))
    merged = heapq.merge(*(_paged(reader, stream.page, size) for stream in streams), key=_key, reverse=True)
    yield from merged


def committed(reader: Reader, wanted: Wanted, outbox: tuple[str, str], first: int, last: int) -> Iterator[Found]:
    """Yield the events that fit among the records of one (device, epoch) from `first` to `last`, as they were told."""
    device, epoch = outbox
    at = P.c.captured_utc_ns
    after = first - 1
    while after < last:
        here = and_(P.c.device == device, P.c.epoch == epoch, P.c.seq > after, P.c.seq <= last)
        statement = _rows(at, reader.corrects, corrected=False, everything=True).where(here, *_conditions(wanted))
        with reader.snapshot() as connection:
            rows = _found(connection, statement.order_by(P.c.seq).limit(PAGE))
        yield from rows
        after = rows[-1]["seq"] if len(rows) == PAGE else last


def some_without_time(reader: Reader, wanted: Wanted) -> bool:
    """Return whether a bound in time leaves out events of which nobody knows the time."""
    unbounded = replace(wanted, since_ns=None, until_ns=None)
    statement = _rows(P.c.captured_utc_ns, reader.corrects, corrected=False).where(*_conditions(unbounded))
    with reader.snapshot() as connection:
        return connection.execute(statement.where(P.c.captured_clock == UNSYNCED).limit(1)).first() is not None


def _streams(reader: Reader, wanted: Wanted) -> Iterator[Stream]:
    for part in _parts(reader, wanted):
        yield Stream(part, reader.corrects, corrected=False)
    if reader.corrects:
        for part in _some_texts(wanted) or (wanted,):
            yield Stream(part, reader.corrects, corrected=True)


def _parts(reader: Reader, wanted: Wanted) -> Iterator[Wanted]:
    """Split a question into such that one index answers in its own order."""
    if wanted.plates.texts:
        yield from _some_texts(wanted)
    elif not wanted.plates.prefix and (wanted.device or wanted.lane):
        with reader.snapshot() as connection:
            lanes = list(_lanes(connection, wanted.device))
        yield from (replace(wanted, device=device, lane=lane) for device, lane in lanes if wanted.lane in {"", lane})
    else:
        yield wanted


def _some_texts(wanted: Wanted) -> list[Wanted]:
    """Return the question for as many plates at a time as one statement takes; empty if it names none."""
    texts = wanted.plates.texts
    starts = range(0, len(texts), TEXTS_A_STATEMENT)
    return [replace(wanted, plates=Plates(texts=texts[start : start + TEXTS_A_STATEMENT])) for start in starts]


def _lanes(connection: Connection, device: str) -> Iterator[tuple[str, str]]:
    """Yield each (device, lane) that told of a pass, by a jump in the index for each."""
    lane = (tables.plates.c.device, tables.plates.c.lane)
    jump = select(*lane).order_by(*lane).limit(1)
    if device:
        jump = jump.where(tables.plates.c.device == device)
    found = connection.execute(jump).first()
    while found is not None:
        yield found[0], found[1]
        further = lane[1] > found[1] if device else tuple_(*lane) > tuple_(*found)
        found = connection.execute(jump.where(further)).first()


def _paged(reader: Reader, page: Callable[[Key | None, int], Select[Any]], size: int) -> Iterator[Found]:
    before: Key | None = None
    while True:
        with reader.snapshot() as connection:
            rows = _found(connection, page(before, size))
        yield from rows
        if len(rows) < size:
            return
        before = _key(rows[-1])


def _found(connection: Connection, statement: Select[Any]) -> list[Found]:
    return [{str(name): value for name, value in row.items()} for row in connection.execute(statement).mappings()]


def _key(row: Found) -> Key:
    return row["at_ns"], row["device"], row["epoch"], row["seq"]


def _rows(at: ColumnElement[int], corrects: bool, corrected: bool, everything: bool = False) -> Select[Any]:
    """Return the events with when they were received and, where it is known, their boot's offset."""
    # Outer, though every event has its record: no planner may begin with the records and sort what it finds.
    source = P.join(R, and_(*(R.c[part.name] == part for part in NAME)), isouter=True)
    columns: list[Any] = [*P.c, R.c.received_utc_ns, at.label("at_ns")]
    if not corrects:
        return select(*columns, literal_column("NULL").label("utc_minus_mono_ns")).select_from(source)
    ours = and_(BOOTS.c.device == P.c.device, BOOTS.c.boot == P.c.captured_boot)
    statement = select(*columns, BOOTS.c.utc_minus_mono_ns).select_from(source.join(BOOTS, ours, isouter=not corrected))
    if corrected:
        return statement.where(P.c.captured_clock == UNSYNCED)
    return statement if everything else statement.where(or_(P.c.captured_clock != UNSYNCED, BOOTS.c.boot.is_(None)))


def _conditions(wanted: Wanted, corrected: bool = False) -> Iterator[ColumnElement[bool]]:
    plates = wanted.plates
    if len(plates.texts) == 1:
        yield P.c.text == plates.texts[0]
    elif plates.texts:
        yield P.c.text.in_(plates.texts)
    if plates.prefix:
        yield and_(P.c.text >= plates.prefix, P.c.text < plates.prefix + LAST_CHARACTER)
    # What is corrected is few, and has an index of its own: written so, no planner prefers one by device and lane.
    if wanted.device:
        yield (BOOTS.c.device.concat("") if corrected else P.c.device) == wanted.device
    if wanted.lane:
        yield (P.c.lane.concat("") if corrected else P.c.lane) == wanted.lane
    if not wanted.all_revisions:
        later = and_(NEWER.c.revision == P.c.revision, tuple_(NEWER.c.epoch, NEWER.c.seq) > tuple_(P.c.epoch, P.c.seq))
        same = and_(NEWER.c["pass"] == P.c["pass"], NEWER.c.device == P.c.device)
        yield ~exists().where(same, or_(NEWER.c.revision > P.c.revision, later))
