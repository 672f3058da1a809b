"""What one commit to SQLite does inside its transaction: rows, digests compared, coverage merged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from sqlalchemy import Connection, and_, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from platefleet.fleet.store import tables
from platefleet.fleet.store.merging import (
    Boot,
    Offset,
    Outbox,
    counted,
    first_of_each_name,
    touched,
    turned_away,
    widen,
)
from platefleet.fleet.store.port import Arrival, Batch, Clash, Committed, GoneTold, Name
from platefleet.fleet.store.project import clash_row, gone_row, record_row
from platefleet.fleet.store.writing import ignoring, insert_projections, learn
from platefleet.protocol.delivery.coverage import Ranges
from platefleet.protocol.messages import EpochCoverage
from platefleet.protocol.messages.delivery import RANGES_ANSWERED

NAMES_A_QUERY = 500
"""SQLite takes at least 999 parameters in one statement (source: sqlite.org/limits.html, item 9)."""
CLASHES_KEPT = 10_000
CLASH_FRAMES_KEPT = 100
"""A device: a cloned card clashes for ever, and its frames may not fill the disk."""


def commit(connection: Connection, batch: Batch, learnt: Mapping[Boot, Offset]) -> Committed:
    """Write the batch through `connection`, which has begun; return what is durable once it has committed.

    learnt: what is new of the devices' clocks. Rows are inserted first and digests compared with what is then there.
    """
    first, clashes = first_of_each_name(batch.arrivals)
    had = _digests(connection, first)
    new = [arrival for name, arrival in first.items() if name not in had]
    ignoring(connection, tables.records, [record_row(arrival) for arrival in new])
    there = had | _digests(connection, [arrival.name for arrival in new])
    for name, arrival in first.items():
        if there[name] != arrival.digest:
            clashes.append(Clash(*name, kept=there[name], other=arrival.digest))
    _keep_clashes(connection, turned_away(batch.arrivals, clashes))
    fresh = [arrival for arrival in new if there[arrival.name] == arrival.digest]
    insert_projections(connection, fresh)
    learn(connection, learnt)
    return replace(counted(batch.arrivals, fresh, clashes), covered=_cover(connection, first, batch.gone))


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


def _keep_clashes(connection: Connection, arrivals: Iterable[Arrival]) -> None:
    kept: dict[str, int] = {}
    for arrival in arrivals:
        device = arrival.device
        if device not in kept:
            count = select(func.count()).select_from(tables.clashes).where(tables.clashes.c.device == device)
            kept[device] = connection.execute(count).scalar_one()
        if kept[device] < CLASHES_KEPT:
            row = clash_row(arrival, whole=kept[device] < CLASH_FRAMES_KEPT)
            ignoring(connection, tables.clashes, [row])
            kept[device] += 1


def _cover(
    connection: Connection, names: Iterable[Name], told: Sequence[GoneTold]
) -> dict[str, tuple[EpochCoverage, ...]]:
    ignoring(connection, tables.gone, [gone_row(each) for each in told])
    covered: dict[str, list[EpochCoverage]] = defaultdict(list)
    for (device, epoch), ranges in touched(names, told).items():
        covered[device].append(EpochCoverage(epoch=epoch, covered=_widen(connection, device, epoch, ranges)))
    return {device: tuple(epochs) for device, epochs in covered.items()}


def _widen(connection: Connection, device: str, epoch: str, ranges: Ranges) -> Ranges:
    """Merge `ranges` (ascending) into the epoch's rows; return the rows that they now lie in."""
    column = tables.coverage.c
    here = and_(column.device == device, column.epoch == epoch)
    near = select(column.first, column.last).where(
        here, column.last >= ranges[0][0] - 1, column.first <= ranges[-1][1] + 1
    )
    widened = widen(((first, last) for first, last in connection.execute(near)), ranges)
    for some in _chunks(widened.stale, NAMES_A_QUERY):
        connection.execute(delete(tables.coverage).where(here, column.first.in_(some)))
    if widened.new:
        values = [{"device": device, "epoch": epoch, "first": first, "last": last} for first, last in widened.new]
        added = insert(tables.coverage)
        grown = added.on_conflict_do_update(
            index_elements=["device", "epoch", "first"], set_={"last": added.excluded.last}
        )
        connection.execute(grown, values)
    return widened.told


def _chunks(values: Sequence[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some
