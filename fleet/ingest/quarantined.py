"""The records in quarantine: listed, shown, and decoded again with today's program, a few in a transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, func, or_, select, update

from platefleet.fleet.ingest.quarantine import examine
from platefleet.fleet.store import tables
from platefleet.fleet.store.clocks import KnownClocks
from platefleet.fleet.store.database import Database, database_at
from platefleet.fleet.store.errors import Unstorable
from platefleet.fleet.store.port import Arrival
from platefleet.fleet.store.project import text
from platefleet.fleet.store.writing import insert_projections, learn
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.errors import ConfigError, ProtocolError

A_TRANSACTION = 100
"""Records; each may hold 128 KiB, and ingest waits while SQLite is written."""


def listed(url: str, *, device: str = "", most: int = 1000) -> Iterator[str]:
    """Yield a line for each record in quarantine. Raises ConfigError, StoreError."""
    column, record = tables.quarantine.c, tables.records.c
    size = func.length(record.frame).label("size")
    query = _query(device).with_only_columns(column.device, column.epoch, column.seq, record.type, size, column.reason)
    with database_at(url).begin() as connection:
        found = connection.execute(query.limit(most)).all()  # whoever reads the lines slowly holds no lock
    for row in found:
        yield f"{row.device}/{row.epoch}/{row.seq}\t{row.type}\t{row.size} bytes\t{row.reason}"


def shown(url: str, name: str) -> Iterator[str]:
    """Yield lines about one record, `device/epoch/seq`. Raises ConfigError, StoreError."""
    device, _, rest = name.partition("/")
    epoch, _, seq = rest.partition("/")
    if not (seq.isascii() and seq.isdigit() and len(seq) <= 16):
        raise ConfigError(f"name: {name[:80]!a} is no record; device/epoch/seq would be right, as `list` prints it.")
    column = tables.quarantine.c
    query = _query(device).where(column.epoch == epoch, column.seq == int(seq))
    with database_at(url).begin() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise ConfigError(f"name: {name[:80]!a} is not in quarantine; `list` prints what is.")
    received = datetime.fromtimestamp(row.received_utc_ns / SECOND_NS, tz=timezone.utc)
    yield f"name: {row.device}/{row.epoch}/{row.seq}"
    yield f"type: {row.type}"
    yield f"received: {received.isoformat(timespec='milliseconds')}"
    yield f"why: {row.reason}"
    yield f"frame: {bytes(row.frame).hex()}"


def replayed(url: str, *, device: str = "") -> str:
    """Decode what is in quarantine again; return what came of it. Raises ConfigError, StoreError."""
    database = database_at(url)
    moved = left = 0
    after: tuple[str, str, int] | None = None
    while True:
        with database.begin() as connection:
            found = connection.execute(_query(device, after).limit(A_TRANSACTION)).all()
        if not found:
            return f"quarantine: {moved} decoded and moved into their tables, {left} left"
        after = found[-1].device, found[-1].epoch, found[-1].seq
        done = _replay(database, [_again(row) for row in found])
        moved += done
        left += len(found) - done


def _replay(database: Database, arrivals: Sequence[Arrival]) -> int:
    """Move what is decodable, all together or, where the database refuses that, in halves; return how many."""
    decoded = [arrival for arrival in arrivals if arrival.message is not None]
    refused = {arrival.name: arrival.undecodable for arrival in arrivals if arrival.message is None}
    try:
        with database.begin() as connection:
            _say_why(connection, refused)
            return _move(connection, decoded)
    except Unstorable as error:
        if len(arrivals) > 1:
            middle = len(arrivals) // 2
            return _replay(database, arrivals[:middle]) + _replay(database, arrivals[middle:])
        with database.begin() as connection:
            _say_why(connection, {arrivals[0].name: f"unstorable: {error}"})
        return 0


def _move(connection: Connection, decoded: Sequence[Arrival]) -> int:
    column = tables.quarantine.c
    moved = []
    for arrival in decoded:
        device, epoch, seq = arrival.name
        mine = and_(column.device == device, column.epoch == epoch, column.seq == seq)
        if connection.execute(delete(tables.quarantine).where(mine)).rowcount:  # else somebody else replayed it
            moved.append(arrival)
    insert_projections(connection, moved)
    learn(connection, KnownClocks().news(moved))
    return len(moved)


def _say_why(connection: Connection, refused: dict[tuple[str, str, int], str]) -> None:
    """Keep the newest reason of each."""
    column = tables.quarantine.c
    for (device, epoch, seq), reason in refused.items():
        mine = and_(column.device == device, column.epoch == epoch, column.seq == seq)
        connection.execute(update(tables.quarantine).where(mine).values(reason=text(reason)))


def _again(row: Row[Any]) -> Arrival:
    try:
        return examine(row.device, bytes(row.frame), row.received_utc_ns)
    except ProtocolError as error:  # not what ingest took: the database was changed by somebody
        raise ConfigError(
            f"quarantine: {row.device}/{row.epoch}/{row.seq} holds no frame any more ({error}); restore a backup."
        ) from error


def _query(device: str, after: tuple[str, str, int] | None = None) -> Select[Any]:
    column, record = tables.quarantine.c, tables.records.c
    same = and_(record.device == column.device, record.epoch == column.epoch, record.seq == column.seq)
    query = (
        select(
            column.device, column.epoch, column.seq, record.type, record.frame, record.received_utc_ns, column.reason
        )
        .join_from(tables.quarantine, tables.records, same)
        .order_by(column.device, column.epoch, column.seq)
    )
    if device:
        query = query.where(column.device == device)
    if after is not None:
        query = query.where(
            or_(
                column.device > after[0],
                and_(column.device == after[0], column.epoch > after[1]),
                and_(column.device == after[0], column.epoch == after[1], column.seq > after[2]),
            )
        )
    return query
