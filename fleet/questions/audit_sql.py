"""What the store has of a pass, and which passes a plate had: the statements, each by an index."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from sqlalchemy import Connection, and_, or_, select

from platefleet.fleet.questions.audit import Kept
from platefleet.fleet.questions.clocks import Boot, offsets
from platefleet.fleet.questions.events_sql import Found, Wanted, newest_first
from platefleet.fleet.questions.plates import Plates
from platefleet.fleet.questions.reading import Reader
from platefleet.fleet.store import tables
from platefleet.protocol.delivery.frame import open_body, thaw
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import Decision, PlateEvent

MOST_RECORDS = 1_000
"""Records of one pass that are looked at: far more than a pass has."""
REVISIONS_LOOKED_AT = 10_000
"""Of a plate, to find its newest passes."""


def passes(reader: Reader, plates: Plates, most: int) -> list[Found]:
    """Return the newest passes of which any revision read one of `plates`; each with the newest that did."""
    wanted = Wanted(plates=plates, all_revisions=True)
    newest: dict[tuple[str, str], Found] = {}
    for found in islice(newest_first(reader, wanted), REVISIONS_LOOKED_AT):
        key = found["device"], found["pass"]
        if key not in newest and len(newest) == most:
            break
        newest.setdefault(key, found)
    return list(newest.values())


def devices_of(connection: Connection, pass_id: str) -> list[str]:
    """Return the devices that told of a pass; empty if only gates did."""
    row = tables.plates.c
    query = select(row.device).where(row["pass"] == pass_id).distinct().order_by(row.device).limit(MOST_RECORDS)
    return [str(device) for device in connection.execute(query).scalars()]


def records(connection: Connection, pass_id: str, device: str) -> Iterator[Kept]:
    """Yield what the store has of a pass that `device` told of ("": that only gates did)."""
    record = tables.records
    row = tables.decisions
    ours = or_(row.c.subject == device, row.c.subject.is_(None)) if device else row.c["pass"].is_not(None)
    for table, more in ((tables.plates, tables.plates.c.device == device), (row, ours)):
        name = and_(*(record.c[part] == table.c[part] for part in ("device", "epoch", "seq")))
        query = (
            select(record.c.device, record.c.frame, record.c.received_utc_ns)
            .select_from(table.join(record, name))
            .where(table.c["pass"] == pass_id, more)
            .order_by(table.c.revision, record.c.epoch, record.c.seq)
            .limit(MOST_RECORDS)
        )
        for device_, frame, received_ns in connection.execute(query):
            try:
                body = open_body(thaw(bytes(frame)))
            except ProtocolError:  # it was opened when it was committed: by a later release
                yield Kept(device_, None, received_ns)
                continue
            yield Kept(device_, body if isinstance(body, PlateEvent | Decision) else None, received_ns)


def boots_of(connection: Connection, kept: list[Kept], *, known: bool) -> dict[Boot, int]:
    """Return what is known of the boots of every machine that told of a pass."""
    found: dict[Boot, int] = {}
    for device in {each.device for each in kept}:
        found |= offsets(connection, device, known=known)
    return found
