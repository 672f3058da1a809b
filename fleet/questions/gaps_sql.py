"""What is known of each device's epochs: the statements, each by the beginning of a primary key."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from sqlalchemy import Connection, and_, func, select

from platefleet.fleet.questions.clocks import offsets, stamp_of, when
from platefleet.fleet.questions.gaps import CLASH, Epoch, Gap, Told
from platefleet.fleet.questions.reading import Reader
from platefleet.fleet.store import tables
from platefleet.protocol.delivery.coverage import Ranges


def devices(reader: Reader) -> Iterator[str]:
    """Yield every device that the store covers anything of, by a jump in the index for each."""
    device = tables.coverage.c.device
    jump = select(device).order_by(device).limit(1)
    found: str | None = None
    while True:
        with reader.snapshot() as connection:
            found = connection.execute(jump if found is None else jump.where(device > found)).scalar()
        if found is None:
            return
        yield found


def epochs_of(connection: Connection, device: str, *, corrects: bool) -> Iterator[Epoch]:
    """Yield a device's epochs: those of which something is covered, and those that a later one names."""
    covered = _covered(connection, device)
    named = _named(connection, device)
    opened = tables.epochs
    boots = offsets(connection, device, known=corrects)
    openings = {}
    for row in connection.execute(select(opened).where(opened.c.device == device)).mappings():
        stamp = stamp_of({str(name): value for name, value in row.items()}, "opened")
        openings[row["epoch"]] = (bool(row["volatile"]), when(stamp, boots.get((device, stamp.boot))).utc_ns)
    for epoch in sorted({*covered, *named}):
        volatile, opened_ns = openings.get(epoch, (None, None))
        yield Epoch(epoch, covered.get(epoch, ()), named.get(epoch), volatile, opened_ns)


def since(connection: Connection, device: str, gap: Gap) -> int | None:
    """Return when the store came to know that a range exists: by the record after it, or by the epoch's named end."""
    record = tables.records.c
    here = (record.device == device, record.epoch == gap.epoch, record.seq > gap.last)
    found = connection.execute(select(record.received_utc_ns).where(*here).order_by(record.seq).limit(1)).scalar()
    if found is not None:
        return int(found)
    end = tables.epoch_ends.c
    opening = and_(record.device == end.device, record.epoch == end.epoch, record.seq == 1)
    named = (
        select(func.min(record.received_utc_ns))
        .select_from(tables.epoch_ends.join(tables.records, opening))
        .where(end.device == device, end.previous == gap.epoch, end.last >= gap.last)
    )
    by_name = connection.execute(named).scalar()
    return None if by_name is None else int(by_name)


def told_gone(connection: Connection, device: str) -> Iterator[Told]:
    """Yield the ranges that a device told as gone, with how much of each is there all the same."""
    row, record = tables.gone.c, tables.records.c
    inside = (record.device == row.device, record.epoch == row.epoch, record.seq.between(row.first, row.last))
    present = select(func.count()).select_from(tables.records).where(*inside).scalar_subquery()
    query = select(row.epoch, row.first, row.last, row.reason, row.told_utc_ns, present).where(row.device == device)
    for epoch, first, last, reason, told_ns, there in connection.execute(query):
        yield Told(epoch, first, last, reason, told_ns, there)


def clashes(connection: Connection, device: str) -> Iterator[Gap]:
    """Yield, for each epoch in which a name was used twice, from where to where and when it happened last."""
    row = tables.clashes.c
    query = (
        select(row.epoch, func.min(row.seq), func.max(row.seq), func.count(), func.max(row.received_utc_ns))
        .where(row.device == device)
        .group_by(row.epoch)
        .order_by(row.epoch)
    )
    for epoch, first, last, count, newest_ns in connection.execute(query):
        yield Gap(epoch, first, last, count, "clash", CLASH, newest_ns)


def _covered(connection: Connection, device: str) -> dict[str, Ranges]:
    row = tables.coverage.c
    query = select(row.epoch, row.first, row.last).where(row.device == device).order_by(row.epoch, row.first)
    return {
        epoch: tuple((first, last) for _, first, last in ranges)
        for epoch, ranges in groupby(connection.execute(query), lambda found: str(found[0]))
    }


def _named(connection: Connection, device: str) -> dict[str, int]:
    row = tables.epoch_ends.c
    query = select(row.previous, func.max(row.last).label("last")).where(row.device == device).group_by(row.previous)
    return {str(row.previous): int(row.last) for row in connection.execute(query)}
