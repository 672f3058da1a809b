"""What one commit does inside its transaction: rows, digests compared, coverage merged. Knows tables, not databases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Executable, Table, and_, delete, func, insert, select

from platefleet.fleet.store import tables
from platefleet.fleet.store.port import Arrival, Batch, Clash, Committed, GoneTold, Name
from platefleet.fleet.store.project import Row, record_row, rows
from platefleet.protocol.delivery.coverage import Ranges, merge
from platefleet.protocol.messages import EpochCoverage

Outbox = tuple[str, str]
"""(device, epoch): one writer's names."""

NAMES_A_QUERY = 500
"""SQLite takes at least 999 parameters in one statement (source: sqlite.org/limits.html, item 9)."""
RANGES_ANSWERED = 4096
"""As many as a message may hold; a device sends again what an answer leaves out."""
CLASHES_KEPT = 10_000
CLASH_FRAMES_KEPT = 100
"""A device: a cloned card clashes for ever, and its frames may not fill the disk."""


class IgnoringInsert(Protocol):
    """A dialect's `INSERT … ON CONFLICT DO NOTHING` for a table."""

    def __call__(self, table: Table) -> Executable:
        """Return the statement."""
        ...


class _Sorted(NamedTuple):
    first: dict[Name, Arrival]
    clashes: list[Clash]


def commit(connection: Connection, ignoring: IgnoringInsert, batch: Batch) -> Committed:
    """Write the batch through `connection`, which has begun; return what is durable once it has committed.

    Rows are inserted first and digests compared with what is then there, so that another worker's insert between the
    two is met as well.
    """
    first, clashes = _first_of_each_name(batch.arrivals)
    had = _digests(connection, first)
    new = [arrival for name, arrival in first.items() if name not in had]
    _insert(connection, ignoring, new)
    there = had | _digests(connection, [arrival.name for arrival in new])
    for name, arrival in first.items():
        if there[name] != arrival.digest:
            clashes.append(Clash(*name, kept=there[name], other=arrival.digest))
    clashing = {(clash.device, clash.epoch, clash.seq, clash.other) for clash in clashes}
    _keep_clashes(connection, ignoring, [a for a in batch.arrivals if (*a.name, a.digest) in clashing])
    fresh = [arrival for arrival in new if there[arrival.name] == arrival.digest]
    _insert_projections(connection, ignoring, fresh)
    turned_away = sum((*a.name, a.digest) in clashing for a in batch.arrivals)
    return Committed(
        covered=_cover(connection, ignoring, first, batch.gone),
        clashes=tuple(clashes),
        fresh=len(fresh),
        again=len(batch.arrivals) - len(fresh) - turned_away,
        quarantined=sum(bool(arrival.undecodable) for arrival in fresh),
    )


def coverage(connection: Connection, device: str, epochs: Sequence[str]) -> tuple[EpochCoverage, ...]:
    """Return the covered ranges of each epoch, ascending, in the order asked; at most RANGES_ANSWERED together."""
    column = tables.coverage.c
    left = RANGES_ANSWERED
    answered = []
    for epoch in epochs:
        query = (
            select(column.first, column.last)
            .where(column.device == device, column.epoch == epoch)
            .order_by(column.first)
            .limit(left)
        )
        ranges = tuple((first, last) for first, last in connection.execute(query))
        left -= len(ranges)
        answered.append(EpochCoverage(epoch=epoch, covered=ranges))
    return tuple(answered)


def _first_of_each_name(arrivals: Iterable[Arrival]) -> _Sorted:
    first: dict[Name, Arrival] = {}
    clashes: dict[tuple[Name, bytes], Clash] = {}
    for arrival in arrivals:
        kept = first.setdefault(arrival.name, arrival).digest
        other = arrival.digest
        if kept != other:
            clashes[arrival.name, other] = Clash(*arrival.name, kept=kept, other=other)
    return _Sorted(first, list(clashes.values()))


def _digests(connection: Connection, names: Collection[Name]) -> dict[Name, bytes]:
    wanted: dict[Outbox, list[int]] = defaultdict(list)
    for device, epoch, seq in names:
        wanted[device, epoch].append(seq)
    column = tables.records.c
    found: dict[Name, bytes] = {}
    for (device, epoch), seqs in wanted.items():
        for some in _chunks(seqs, NAMES_A_QUERY):
            query = select(column.seq, column.digest).where(
                column.device == device, column.epoch == epoch, column.seq.in_(some)
            )
            found.update({(device, epoch, seq): bytes(digest) for seq, digest in connection.execute(query)})
    return found


def _insert(connection: Connection, ignoring: IgnoringInsert, arrivals: Iterable[Arrival]) -> None:
    values = [record_row(arrival) for arrival in arrivals]
    if values:
        connection.execute(ignoring(tables.records), values)


def _insert_projections(connection: Connection, ignoring: IgnoringInsert, arrivals: Iterable[Arrival]) -> None:
    by_table: dict[Table, list[Row]] = defaultdict(list)
    for arrival in arrivals:
        for table, row in rows(arrival):
            by_table[table].append(row)
    for table, values in by_table.items():
        connection.execute(ignoring(table), values)


def _keep_clashes(connection: Connection, ignoring: IgnoringInsert, arrivals: Iterable[Arrival]) -> None:
    kept: dict[str, int] = {}
    for arrival in arrivals:
        device = arrival.device
        if device not in kept:
            count = select(func.count()).select_from(tables.clashes).where(tables.clashes.c.device == device)
            kept[device] = connection.execute(count).scalar_one()
        if kept[device] < CLASHES_KEPT:
            row = record_row(arrival)
            del row["type"]
            row["frame"] = row["frame"] if kept[device] < CLASH_FRAMES_KEPT else None
            connection.execute(ignoring(tables.clashes), row)
            kept[device] += 1


def _cover(
    connection: Connection, ignoring: IgnoringInsert, names: Iterable[Name], told: Sequence[GoneTold]
) -> dict[str, tuple[EpochCoverage, ...]]:
    touched: dict[Outbox, list[tuple[int, int]]] = defaultdict(list)
    for device, epoch, seq in names:
        touched[device, epoch].append((seq, seq))
    if told:
        connection.execute(ignoring(tables.gone), [_gone_row(each) for each in told])
    for each in told:
        touched[each.device, each.gone.epoch].append((each.gone.first, each.gone.last))
    covered: dict[str, list[EpochCoverage]] = defaultdict(list)
    for (device, epoch), ranges in touched.items():
        covered[device].append(EpochCoverage(epoch=epoch, covered=_widen(connection, device, epoch, merge(ranges))))
    return {device: tuple(epochs) for device, epochs in covered.items()}


def _widen(connection: Connection, device: str, epoch: str, ranges: Ranges) -> Ranges:
    """Merge `ranges` (ascending) into the epoch's rows; return the rows that they now lie in."""
    column = tables.coverage.c
    here = and_(column.device == device, column.epoch == epoch)
    near = select(column.first, column.last).where(
        here, column.last >= ranges[0][0] - 1, column.first <= ranges[-1][1] + 1
    )
    before = {(first, last) for first, last in connection.execute(near)}
    after = merge([*before, *ranges])
    stale = [first for first, last in before if (first, last) not in after]
    for some in _chunks(stale, NAMES_A_QUERY):
        connection.execute(delete(tables.coverage).where(here, column.first.in_(some)))
    new = [r for r in after if r not in before]
    if new:
        values = [{"device": device, "epoch": epoch, "first": first, "last": last} for first, last in new]
        connection.execute(insert(tables.coverage), values)
    return tuple(_containing(after, ranges))


def _containing(wide: Ranges, narrow: Ranges) -> Iterator[tuple[int, int]]:
    """Yield each range of `wide` that holds one of `narrow`; both ascending, each narrow one inside a wide one."""
    inside = iter(narrow)
    current = next(inside, None)
    for first, last in wide:
        if current is not None and current[0] <= last:
            yield first, last
        while current is not None and current[0] <= last:
            current = next(inside, None)


def _gone_row(told: GoneTold) -> Row:
    gone = told.gone
    return {
        "device": told.device,
        "epoch": gone.epoch,
        "first": gone.first,
        "last": gone.last,
        "reason": gone.reason,
        "told_utc_ns": told.received_utc_ns,
    }


def _chunks(values: Sequence[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some
