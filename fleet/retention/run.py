"""Let go of what is too old, a few records in a transaction, so that ingest hardly waits. Coverage stays as it is."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable

from sqlalchemy import Connection, and_, delete, select

from platefleet.fleet.retention.plan import Cut, plan
from platefleet.fleet.retention.settings import Retention
from platefleet.fleet.store import tables
from platefleet.fleet.store.database import Database
from platefleet.protocol.clock import Clock

A_TRANSACTION = 200
PAUSE_S = 0.05
"""Between two transactions: ingest's turn."""
OWNERS = {"crops": tables.crops, "plate": tables.plates, "decision": tables.decisions}
"""Where else a record of a type has a row."""


def let_go(
    database: Database,
    retention: Retention,
    *,
    clock: Clock,
    stop: threading.Event,
    told: Callable[[Cut, int], None] | None = None,
) -> int:
    """Let go of everything that is too old, until done or `stop`; return how many records went.

    told: called for each device and type of which something went. Raises StoreError; what went until then is gone.
    """
    with database.begin() as connection:
        devices = list(connection.execute(select(tables.coverage.c.device).distinct()).scalars())
    total = 0
    for cut in plan(retention, devices, clock.now().utc_ns):
        count = 0
        while not stop.is_set():
            with database.begin() as connection:
                gone = _some(connection, cut)
            count += gone
            if gone < A_TRANSACTION:
                break
            stop.wait(PAUSE_S)
        total += count
        if count and told is not None:
            told(cut, count)
    return total


def _some(connection: Connection, cut: Cut) -> int:
    """Delete the oldest few of a cut; return how many."""
    column = tables.records.c
    oldest = (
        select(column.epoch, column.seq)
        .where(column.device == cut.device, column.type == cut.type, column.received_utc_ns < cut.before_utc_ns)
        .order_by(column.received_utc_ns)
        .limit(A_TRANSACTION)
    )
    by_epoch: dict[str, list[int]] = defaultdict(list)
    for epoch, seq in connection.execute(oldest):
        by_epoch[epoch].append(seq)
    owner = OWNERS.get(cut.type)
    for epoch, seqs in sorted(by_epoch.items()):
        for table in (*([] if owner is None else [owner]), tables.quarantine, tables.records):
            c = table.c
            connection.execute(delete(table).where(and_(c.device == cut.device, c.epoch == epoch, c.seq.in_(seqs))))
    return sum(map(len, by_epoch.values()))
