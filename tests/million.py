"""A million records in PostgreSQL: what a commit costs before and after, and how each question is answered.

`python -m tests.million [RECORDS]` starts a server of its own, loads the records by COPY, commits batches into this
store and into an empty one turn by turn, and prints the medians, the sizes and the plans of the questions.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from platefleet.deploy.bench.postgresql import OwnPostgresql
from platefleet.fleet.store import tables
from platefleet.fleet.store.opening import open_store
from platefleet.fleet.store.port import Batch, Store
from platefleet.fleet.store.staging import copy_rows
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.ids import uuid7
from tests.record_builders import a_pass, a_record, an_arrival, an_epoch

RECORDS = 1_000_000
DEVICES, WARMING, BATCHES, BATCH = 200, 100, 400, 50
BEGIN_NS, EVERY_NS = 1_790_000_000_000_000_000, 500_000_000
QUESTIONS = {
    "by the text of the plate": (
        "SELECT * FROM plates WHERE text IN ('B000123', '8000123', 'BOOO123') ORDER BY captured_utc_ns DESC LIMIT 50"
    ),
    "by device, lane and time": (
        "SELECT * FROM plates WHERE device = 'device-7' AND lane = 'in' "
        f"AND captured_utc_ns >= {BEGIN_NS} ORDER BY captured_utc_ns DESC LIMIT 50"
    ),
    "one pass with its decisions": (
        "SELECT p.device, p.revision, d.verdict FROM plates p LEFT JOIN decisions d ON d.pass = p.pass "
        "WHERE p.pass = '{}'"
    ),
    "the picture of a pass": (
        "SELECT r.frame FROM crops c JOIN records r USING (device, epoch, seq) WHERE c.pass = '{}'"
    ),
    "what is missing of a device": (
        "SELECT epoch, first, last FROM coverage WHERE device = 'device-7' ORDER BY epoch, first"
    ),
    "what retention takes next": (
        "SELECT epoch, seq FROM records WHERE device = 'device-7' AND type = 'plate' "
        f"AND received_utc_ns < {BEGIN_NS + 10**14} ORDER BY received_utc_ns LIMIT 500"
    ),
    "a name that comes again": (
        f"SELECT digest FROM records WHERE device = 'device-7' AND epoch = '{an_epoch(8)}' AND seq = 17"
    ),
}


def main(records: int = RECORDS) -> None:
    """Print the figures."""
    folders = tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True)
    with folders as folder, OwnPostgresql(Path(folder)) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE nothing")
        nothing = open_store(server.url.rpartition("/")[0] + "/nothing", clock=SystemClock())
        full = open_store(server.url, clock=SystemClock())
        with psycopg.connect(server.url) as connection:
            began = time.monotonic()
            load(connection, records)
            print(f"loaded {records} records in {time.monotonic() - began:.0f} s", flush=True)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
        for name, spent in commits({"an empty store": nothing, f"one of {records} records": full}).items():
            print(f"a commit of {BATCH} plates into {name}: p50 {statistics.median(spent):.2f} ms")
        with psycopg.connect(server.url) as connection:
            show(connection)
        nothing.close()
        full.close()


def commits(stores: dict[str, Store]) -> dict[str, list[float]]:
    """Return milliseconds of commits of new records of many devices, turn by turn: all have the same weather."""
    spent: dict[str, list[float]] = {name: [] for name in stores}
    body = a_pass()
    for number in range(WARMING + BATCHES):
        for name, store in stores.items():
            records = [(f"device-{(number * BATCH + n) % DEVICES}", number // 4 + 1) for n in range(BATCH)]
            batch = Batch(
                [
                    an_arrival(device, a_record(seq, epoch=10_000 + int(device[7:]), body=body), body=body)
                    for device, seq in records
                ]
            )
            began = time.perf_counter()
            store.commit(batch)
            if number >= WARMING:
                spent[name].append((time.perf_counter() - began) * 1000)
    return spent


def load(connection: psycopg.Connection[tuple[object, ...]], records: int) -> None:
    """Copy plates of DEVICES devices, one each half second, as ingest would have stored them."""
    with connection.cursor() as cursor:
        copy_rows(cursor, "records", tables.records, map(record_row, range(records)))
        copy_rows(cursor, "plates", tables.plates, map(plate_row, range(records)))
        copy_rows(cursor, "coverage", tables.coverage, coverage_rows(records))


def name(n: int) -> dict[str, object]:
    device, seq = n % DEVICES, n // DEVICES + 1
    return {"device": f"device-{device}", "epoch": an_epoch(device + 1), "seq": seq}


def record_row(n: int) -> dict[str, object]:
    frame = n.to_bytes(8, "big") * 80  # a plate event has some 640 bytes
    digest = hashlib.sha256(frame).digest()
    return {**name(n), "type": "plate", "digest": digest, "frame": frame, "received_utc_ns": BEGIN_NS + n * EVERY_NS}


def plate_row(n: int) -> dict[str, object]:
    at_ns = BEGIN_NS + n * EVERY_NS
    row = {column.name: None for column in tables.plates.columns} | name(n)
    row |= {"lane": "in" if n % 3 else "out", "pass": pass_id(n), "revision": 1, "final": True, "interrupted": False}
    row |= {"text": f"B{n * 7919 % 300_000:06}", "mean": 0.9, "minimum": 0.8, "direction": "approaching", "frames": 5}
    for stamp in ("captured", "first_seen"):
        row |= {f"{stamp}_utc_ns": at_ns, f"{stamp}_mono_ns": n, f"{stamp}_boot": "b" * 36, f"{stamp}_clock": "synced"}
    return row


def pass_id(n: int) -> str:
    return uuid7((BEGIN_NS + n * EVERY_NS) // 1_000_000, n.to_bytes(10, "big"))


def coverage_rows(records: int) -> Iterator[dict[str, object]]:
    for device in range(DEVICES):
        yield {**name(device), "first": 1, "last": records // DEVICES} | {"device": f"device-{device}"}


def show(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Print sizes and plans."""
    sizes = """
        SELECT regexp_replace(relname, '^records_[0-9].*?(_pkey|_device_type.*)?$', 'records\\1'), relkind,
               round(sum(pg_relation_size(oid)) / 1e6) AS mb
        FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace
        GROUP BY 1, 2 HAVING sum(pg_relation_size(oid)) > 1e6 ORDER BY 3 DESC
    """
    for row in connection.execute(sizes):
        print(*row)
    for question, query in QUESTIONS.items():
        print(f"\n## {question}\n{query.format(pass_id(5000))}")
        plan = "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) " + query.format(pass_id(5000))
        for (line,) in connection.execute(plan):  # type: ignore[call-overload]
            print("   ", line)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
