"""What one commit to PostgreSQL does inside its transaction: COPY, `ON CONFLICT DO NOTHING`, coverage under locks.

Workers may commit the same names at once. Everything that two of them could want is taken in one order, first by table
(records, clashes, projections, gone, coverage, boots), then by name, so that none waits in a circle.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psycopg import Connection, Cursor
from psycopg.sql import SQL, Composed, Identifier
from sqlalchemy import BigInteger, Boolean, Float, Integer, LargeBinary, Table
from sqlalchemy.types import TypeEngine

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
from platefleet.fleet.store.project import Row, clash_row, gone_row, record_row, rows
from platefleet.fleet.store.transaction import CLASH_FRAMES_KEPT, CLASHES_KEPT
from platefleet.protocol.delivery.coverage import Ranges
from platefleet.protocol.messages import EpochCoverage
from platefleet.protocol.messages.delivery import RANGES_ANSWERED

if TYPE_CHECKING:
    from typing_extensions import LiteralString

STAGING: LiteralString = """
    CREATE TEMPORARY TABLE staging (
        device text, epoch text, seq bigint, type text, digest bytea, frame bytea, received_utc_ns bigint
    ) WITH (toast_tuple_target = 8160) ON COMMIT DELETE ROWS;
    ALTER TABLE staging ALTER COLUMN frame SET STORAGE EXTERNAL
"""
"""Of one session, made when it connects; temporary tables write no log."""
_STAGED = tuple(column.name for column in tables.records.columns)
TAKE: LiteralString = """
    INSERT INTO records SELECT * FROM staging ORDER BY device, epoch, seq
    ON CONFLICT DO NOTHING RETURNING device, epoch, seq
"""
_DIGESTS: LiteralString = """
    SELECT wanted.device, wanted.epoch, wanted.seq, found.digest
    FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS wanted (device, epoch, seq)
    CROSS JOIN LATERAL (
        SELECT digest FROM records r
        WHERE r.device = wanted.device AND r.epoch = wanted.epoch AND r.seq = wanted.seq LIMIT 1
    ) AS found
"""
_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key"
_NEAR: LiteralString = """
    SELECT wanted.device, wanted.epoch, c.first, c.last
    FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[]) AS wanted (device, epoch, low, high)
    CROSS JOIN LATERAL (
        SELECT first, last FROM coverage
        WHERE device = wanted.device AND epoch = wanted.epoch AND last >= wanted.low AND first <= wanted.high
    ) AS c
"""
_SHRINK: LiteralString = """
    DELETE FROM coverage USING unnest(%s::text[], %s::text[], %s::bigint[]) AS stale (device, epoch, first)
    WHERE coverage.device = stale.device AND coverage.epoch = stale.epoch AND coverage.first = stale.first
"""
_GROW: LiteralString = """
    INSERT INTO coverage (device, epoch, first, last)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[])
    ON CONFLICT (device, epoch, first) DO UPDATE SET last = excluded.last
"""
_LEARN: LiteralString = """
    INSERT INTO boots (device, boot, utc_minus_mono_ns) VALUES (%s, %s, %s)
    ON CONFLICT (device, boot) DO UPDATE SET utc_minus_mono_ns = excluded.utc_minus_mono_ns WHERE %s
"""
_COVERED: LiteralString = "SELECT first, last FROM coverage WHERE device = %s AND epoch = %s ORDER BY first LIMIT %s"

AnyConnection = Connection[tuple[Any, ...]]
AnyCursor = Cursor[tuple[Any, ...]]


def commit(connection: AnyConnection, batch: Batch, learnt: Mapping[Boot, Offset]) -> Committed:
    """Write the batch through `connection`, within its transaction; return what is durable once that has committed."""
    with connection.cursor() as cursor:
        first, clashes = first_of_each_name(batch.arrivals)
        taken = _take(cursor, list(first.values()))
        fresh = [first[name] for name in taken]
        had = _digests(cursor, sorted(first.keys() - taken))
        clashes += [
            Clash(*name, kept=kept, other=first[name].digest)
            for name, kept in had.items()
            if kept != first[name].digest
        ]
        _keep_clashes(cursor, turned_away(batch.arrivals, clashes))
        insert_projections(cursor, fresh)
        covered = _cover(cursor, first, batch.gone)
        _learn(cursor, learnt)
    return replace(counted(batch.arrivals, fresh, clashes), covered=covered)


def coverage(connection: AnyConnection, device: str, epochs: Sequence[str]) -> tuple[EpochCoverage, ...]:
    """Return the covered ranges of each epoch, ascending, in the order asked; at most RANGES_ANSWERED together."""
    left = RANGES_ANSWERED
    answered = []
    for epoch in epochs:
        ranges = tuple((first, last) for first, last in connection.execute(_COVERED, (device, epoch, left)))
        left -= len(ranges)
        answered.append(EpochCoverage(epoch=epoch, covered=ranges))
    return tuple(answered)


def insert_projections(cursor: AnyCursor, arrivals: Iterable[Arrival]) -> None:
    """Write the rows that stand for the arrivals besides their own: of new records, so nobody else has them."""
    by_table: dict[Table, list[Row]] = defaultdict(list)
    for arrival in arrivals:
        for table, row in rows(arrival):
            by_table[table].append(row)
    for table, values in by_table.items():
        copy_rows(cursor, table.name, table, values)


def copy_rows(cursor: AnyCursor, target: str, table: Table, values: Iterable[Row]) -> None:
    """Copy rows, shaped like those of `table`, into `target`."""
    names = [column.name for column in table.columns]
    with cursor.copy(_copying(target, names)) as copy:
        copy.set_types([_type(column.type) for column in table.columns])
        for row in values:
            copy.write_row([row[name] for name in names])


def _copying(target: str, names: Sequence[str]) -> Composed:
    columns = SQL(", ").join(Identifier(name) for name in names)
    return SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(Identifier(target), columns)


def _type(column: TypeEngine[Any]) -> str:
    """Return the name of the type in which a column's values are sent."""
    match column:
        case BigInteger():
            return "int8"
        case Integer():
            return "int4"
        case Boolean():
            return "bool"
        case Float():
            return "float8"
        case LargeBinary():
            return "bytea"
        case _:
            return "text"


def _take(cursor: AnyCursor, arrivals: Sequence[Arrival]) -> dict[Name, None]:
    """Insert the records whose names are free; return these names, in order."""
    if not arrivals:
        return {}
    copy_rows(cursor, "staging", tables.records, map(record_row, arrivals))
    return dict.fromkeys(cursor.execute(TAKE))


def _digests(cursor: AnyCursor, names: Sequence[Name]) -> dict[Name, bytes]:
    """Return what stands under names that were taken; one that retention took meanwhile is left out."""
    if not names:
        return {}
    columns = [list(column) for column in zip(*names, strict=True)]
    return {(device, epoch, seq): bytes(digest) for device, epoch, seq, digest in cursor.execute(_DIGESTS, columns)}


def _keep_clashes(cursor: AnyCursor, arrivals: Iterable[Arrival]) -> None:
    kept: dict[str, int] = {}
    for arrival in sorted(arrivals, key=lambda arrival: (arrival.name, arrival.digest)):
        device = arrival.device
        if device not in kept:
            cursor.execute("SELECT count(*) FROM clashes WHERE device = %s", (device,))
            kept[device] = cursor.fetchall()[0][0]
        if kept[device] < CLASHES_KEPT:
            row = clash_row(arrival, whole=kept[device] < CLASH_FRAMES_KEPT)
            _ignoring(cursor, tables.clashes, row)
            kept[device] += 1


def _ignoring(cursor: AnyCursor, table: Table, row: Row) -> None:
    query = SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
        Identifier(table.name),
        SQL(", ").join(Identifier(name) for name in row),
        SQL(", ").join(SQL("%s") for _ in row),
    )
    cursor.execute(query, list(row.values()))


def _cover(cursor: AnyCursor, names: Iterable[Name], told: Sequence[GoneTold]) -> dict[str, tuple[EpochCoverage, ...]]:
    for each in sorted(told, key=lambda each: (each.device, each.gone.epoch, each.gone.first, each.gone.last)):
        _ignoring(cursor, tables.gone, gone_row(each))
    wanted = touched(names, told)
    if not wanted:
        return {}
    cursor.execute(_LOCK, (sorted(map(lock_key, wanted)),))
    near = _near(cursor, wanted)
    stale: list[tuple[str, str, int]] = []
    new: list[tuple[str, str, int, int]] = []
    covered: dict[str, list[EpochCoverage]] = defaultdict(list)
    for (device, epoch), ranges in wanted.items():
        widened = widen(near[device, epoch], ranges)
        stale += [(device, epoch, first) for first in widened.stale]
        new += [(device, epoch, first, last) for first, last in widened.new]
        covered[device].append(EpochCoverage(epoch=epoch, covered=widened.told))
    if stale:
        cursor.execute(_SHRINK, [list(column) for column in zip(*stale, strict=True)])
    if new:
        cursor.execute(_GROW, [list(column) for column in zip(*new, strict=True)])
    return {device: tuple(epochs) for device, epochs in covered.items()}


def _near(cursor: AnyCursor, wanted: Mapping[Outbox, Ranges]) -> dict[Outbox, list[tuple[int, int]]]:
    """Return the rows of each epoch that touch its ranges or lie between; a statement of its own, after the lock."""
    asked = [(device, epoch, ranges[0][0] - 1, ranges[-1][1] + 1) for (device, epoch), ranges in wanted.items()]
    found: dict[Outbox, list[tuple[int, int]]] = defaultdict(list)
    for device, epoch, first, last in cursor.execute(_NEAR, [list(column) for column in zip(*asked, strict=True)]):
        found[device, epoch].append((first, last))
    return found


def lock_key(outbox: Outbox) -> int:
    """Return the key under which workers take turns at an outbox's coverage: it has no row yet when it is new."""
    digest = hashlib.sha256("\0".join(("platefleet coverage", *outbox)).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _learn(cursor: AnyCursor, learnt: Mapping[Boot, Offset]) -> None:
    for (device, boot), offset in learnt.items():
        cursor.execute(_LEARN, (device, boot, offset.utc_minus_mono_ns, offset.synced))
