"""What ingest is held against: PostgreSQL fed from memory while nothing else runs, in batches like ingest's own.

Three references, each a part of the one before: the very commit of ingest (all its SQL, until COMMIT returned), its
staging statements alone, a bare COPY. Nothing is received, decoded or acknowledged in them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from platefleet.deploy.bench.busy import Busy
from platefleet.fleet.ingest.inbox import BATCH_RECORDS
from platefleet.fleet.store import tables
from platefleet.fleet.store.opening import open_store, parse
from platefleet.fleet.store.port import Arrival, Batch
from platefleet.fleet.store.postgresql import connect
from platefleet.fleet.store.project import record_row
from platefleet.fleet.store.staging import STAGING, TAKE, copy_rows
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.frame import freeze
from platefleet.protocol.errors import StoreError
from platefleet.protocol.ids import new_epoch, uuid7
from platefleet.protocol.messages import Crops, Stamp

DEVICES = 16
"""Four could have no more than 8,000 records on their way, which is less than a second of it."""
CROP_BYTES = 2048
Row = dict[str, Any]


def a_crop(number: int = 0) -> Crops:
    """Return the pictures of a pass: bytes that do not compress."""
    now = SystemClock().now()
    stamp = Stamp(utc_ns=now.utc_ns, mono_ns=now.mono_ns, boot="bench", clock="synced")
    picture = random.Random(number).randbytes(CROP_BYTES)  # noqa: S311 - no secret
    return Crops(pass_id=uuid7(1, bytes(10)), revision=1, captured=stamp, plate=picture)


def whole_commit(url: str, seconds: float) -> Row:
    """Measure what the store itself commits when ready arrivals are handed in: the denominator of the goal."""
    store = open_store(url, clock=SystemClock())
    try:
        row = _measured(seconds, ((len(each), each) for each in _arrivals()), lambda each: store.commit(Batch(each)))
    finally:
        store.close()
    _emptied(url)
    return row


def staging(url: str, seconds: float) -> Row:
    """Measure COPY into the staging table, INSERT … ON CONFLICT DO NOTHING RETURNING, COMMIT."""

    def stage(cursor: Any, batch: list[Row]) -> None:
        copy_rows(cursor, "staging", tables.records, batch)
        cursor.execute(TAKE)

    return _statements(url, seconds, stage)


def copy(url: str, seconds: float) -> Row:
    """Measure COPY into `records`, COMMIT."""
    return _statements(url, seconds, lambda cursor, batch: copy_rows(cursor, "records", tables.records, batch))


def _statements(url: str, seconds: float, execute: Callable[[Any, list[Row]], None]) -> Row:
    with connect(parse(url)) as connection:
        connection.execute(STAGING)

        def commit(batch: list[Row]) -> None:
            with connection.transaction(), connection.cursor() as cursor:
                execute(cursor, batch)

        ready = ((len(each), [record_row(arrival) for arrival in each]) for each in _arrivals())
        row = _measured(seconds, ready, commit)
    _emptied(url)
    return row


def _measured(seconds: float, batches: Iterator[tuple[int, Any]], commit: Callable[[Any], object]) -> Row:
    """Return what is committed a second; making the batches is not part of it."""
    busy, done, spent_s = Busy(), 0, 0.0
    for size, batch in batches:
        began_s = time.perf_counter()
        commit(batch)
        spent_s += time.perf_counter() - began_s
        done += size
        if spent_s >= seconds:
            break
    if not done:
        raise StoreError("ingest: the reference committed nothing; give it more seconds.")
    return {"a_second": round(done / spent_s), "others_cores": busy.others()}


def _emptied(url: str) -> None:
    with connect(parse(url)) as connection:
        connection.execute("TRUNCATE records, crops, coverage")


def _arrivals() -> Iterator[list[Arrival]]:
    epoch, seq, now_ns = new_epoch(), 0, SystemClock().now().utc_ns
    crops = a_crop()
    body = encode(crops)
    while True:
        yield [
            Arrival(f"bench-{n % DEVICES}", freeze(epoch, seq + n // DEVICES + 1, "crops", body), now_ns, message=crops)
            for n in range(BATCH_RECORDS)
        ]
        seq += BATCH_RECORDS // DEVICES
