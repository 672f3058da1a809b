"""How much ingest commits into PostgreSQL with everything on this machine: devices, Mosquitto, ingest, database.

Backfill stands beside three references measured in the same run on the same server while nothing else runs: all the SQL
of a commit fed from memory (staging, digests compared, coverage, projections; nothing received or decoded), its staging
statements alone (COPY into the staging table, INSERT … ON CONFLICT DO NOTHING, commit), and a bare COPY.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import psycopg

from platefleet.deploy.bench.ingest_load import CROP_BYTES
from platefleet.deploy.bench.latency_site import MOSQUITTO
from platefleet.deploy.bench.postgresql import OwnPostgresql
from platefleet.deploy.demo.broker import free_port
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
from platefleet.protocol.errors import SessionError, StoreError
from platefleet.protocol.ids import new_epoch, uuid7
from platefleet.protocol.messages import Crops, Stamp

SECONDS = 60.0
LIVE_A_SECOND = 1_100.0
LIVE_GOAL, RATIO_GOAL = 1_000, 0.5
READY_S = 60.0
SETTLE_SHARE = 0.25
"""Of the time, at the beginning: caches fill, pace is found."""
Row = dict[str, Any]


def rows(seconds: float = SECONDS) -> list[Row]:
    """Measure; takes some three times `seconds`. Raises SessionError, StoreError for what is not installed."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise SessionError("ingest: mosquitto is not installed; on Debian apt-get install mosquitto brings it.")
    with tempfile.TemporaryDirectory(prefix="platefleet-bench-", ignore_cleanup_errors=True) as folder:
        own = Path(folder) / "postgresql"
        own.mkdir()
        Path(folder).chmod(0o755)  # for the user who runs PostgreSQL
        with OwnPostgresql(own) as server, ExitStack() as owned:
            open_store(server.url, clock=SystemClock()).close()
            whole = _whole_commit(server.url, seconds / 4)
            staged = _reference(server.url, seconds / 4, _stage)
            copied = _reference(server.url, seconds / 4, _copy)
            site = _Site(Path(folder), program, server.url, owned)
            live = site.load("live", seconds, LIVE_A_SECOND)
            backfill = site.load("backfill", seconds, 0)
    return [
        {"what": "live singles, acks on", **live, "goal_a_second": LIVE_GOAL},
        {
            "what": f"backfill of {CROP_BYTES} byte crops, acks on",
            **backfill,
            "to_commit": round(backfill["a_second"] / whole, 2),
            "to_staging": round(backfill["a_second"] / staged, 2),
            "to_copy": round(backfill["a_second"] / copied, 2),
            "goal_ratio": RATIO_GOAL,
        },
        {"what": "all the SQL of a commit from memory, alone", "a_second": round(whole)},
        {"what": "its staging statements from memory, alone", "a_second": round(staged)},
        {"what": "COPY from memory, alone", "a_second": round(copied)},
    ]


class _Site:
    """Mosquitto and one ingest, until `owned` is closed."""

    def __init__(self, folder: Path, mosquitto: str, url: str, owned: ExitStack) -> None:
        self._url, self._folder, self._port = url, folder, free_port()
        (folder / "mosquitto.conf").write_text(MOSQUITTO.format(port=self._port))
        self._out = owned.enter_context((folder / "out").open("ab"))
        for command in (
            [mosquitto, "-c", "mosquitto.conf"],
            [sys.executable, "-m", "platefleet.deploy.cli", "ingest", "run", *self._options()],
        ):
            process = subprocess.Popen(command, cwd=folder, stdout=self._out, stderr=self._out)
            owned.callback(_end, process)
        self._ingest = psutil.Process(process.pid)
        self._database = owned.enter_context(psycopg.connect(url, autocommit=True))

    def _options(self) -> list[str]:
        return ["--broker", f"127.0.0.1:{self._port}", "--database", self._url]

    def load(self, kind: str, seconds: float, rate: float) -> Row:
        """Let devices load it; return what was committed a second, once it had settled, and ingest's memory."""
        before = self._count()
        command = [sys.executable, "-m", "platefleet.deploy.bench.ingest_load"]
        command += [str(self._port), kind, str(seconds), str(rate)]
        devices = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.PIPE, stderr=self._out)
        try:
            self._wait(lambda: self._count() > before + 100)
            began_s = time.monotonic()
            time.sleep(seconds * SETTLE_SHARE)
            count, at_s, used = self._count(), time.monotonic(), self._ingest.memory_info().rss
            time.sleep(max(0.1, began_s + seconds - 1.0 - at_s))
            committed, spent_s = self._count() - count, time.monotonic() - at_s
            then = self._ingest.memory_info().rss
            out, _ = devices.communicate(timeout=120)
        finally:
            devices.kill()
        told = json.loads(out)
        if not told["covered"]:
            raise SessionError("ingest: not all was acknowledged within a minute; this machine is too busy.")
        return {
            "a_second": round(committed / spent_s),
            "appended": told["appended"],
            "rows": self._count() - before,
            "sent_live": told["live"],
            "resent": told["resent"],
            "memory_mb": round(used / 1e6, 1),
            "memory_after_mb": round(then / 1e6, 1),
        }

    def _count(self) -> int:
        """Return how many names are covered: a few rows to read, however many records there are."""
        found = self._database.execute('SELECT coalesce(sum("last" - "first" + 1), 0) FROM coverage').fetchone()
        return int(found[0]) if found else 0

    def _wait(self, there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_S
        while not there():
            if time.monotonic() > deadline:
                said = (self._folder / "out").read_text(errors="replace")[-500:]
                raise SessionError(f"ingest: nothing was committed within {READY_S:g} s; the programs said: {said}")
            time.sleep(0.05)


def _reference(url: str, seconds: float, commit: Callable[[Any, list[Row]], None]) -> float:
    """Return how many rows a second `commit` makes durable: batches like ingest's, made beforehand."""
    with connect(parse(url)) as connection:
        connection.execute(STAGING)
        done, spent_s = 0, 0.0
        for batch in _batches():
            began_s = time.perf_counter()
            with connection.transaction(), connection.cursor() as cursor:
                commit(cursor, batch)
            spent_s += time.perf_counter() - began_s
            done += len(batch)
            if spent_s >= seconds:
                break
        connection.execute("TRUNCATE records")
    if not done:
        raise StoreError("ingest: the reference committed nothing; give it more seconds.")
    return done / spent_s


def _whole_commit(url: str, seconds: float) -> float:
    """Return how many records a second the store itself commits when they are handed in from memory."""
    store = open_store(url, clock=SystemClock())
    try:
        done, spent_s = 0, 0.0
        for arrivals in _arrivals():
            began_s = time.perf_counter()
            store.commit(Batch(arrivals))
            spent_s += time.perf_counter() - began_s
            done += len(arrivals)
            if spent_s >= seconds:
                break
    finally:
        store.close()
    with connect(parse(url)) as connection:
        connection.execute("TRUNCATE records, crops, coverage")
    return done / spent_s


def _stage(cursor: Any, batch: list[Row]) -> None:
    copy_rows(cursor, "staging", tables.records, batch)
    cursor.execute(TAKE)


def _copy(cursor: Any, batch: list[Row]) -> None:
    copy_rows(cursor, "records", tables.records, batch)


def _batches() -> Iterator[list[Row]]:
    for arrivals in _arrivals():
        yield [record_row(arrival) for arrival in arrivals]


def _arrivals() -> Iterator[list[Arrival]]:
    epoch, seq, now = new_epoch(), 0, SystemClock().now()
    stamp = Stamp(utc_ns=now.utc_ns, mono_ns=now.mono_ns, boot="bench", clock="synced")
    crops = Crops(pass_id=uuid7(1, bytes(10)), revision=1, captured=stamp, plate=bytes(CROP_BYTES))
    body = encode(crops)
    while True:
        arrivals = [
            Arrival(f"bench-{n % 4}", freeze(epoch, seq + n // 4 + 1, "crops", body), now.utc_ns, message=crops)
            for n in range(BATCH_RECORDS)
        ]
        seq += BATCH_RECORDS // 4
        yield arrivals


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
