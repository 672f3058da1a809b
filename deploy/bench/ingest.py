"""How much two workers commit into PostgreSQL with all on this machine: devices, Mosquitto, ingest, database.

Backfill stands beside three references of the same run on the same server (`ingest_reference`). It comes from devices
that cost little beside ingest (`ingest_flood`), and once more from real outboxes and uplinks, which here take the
processors that they have to themselves beside a barrier.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import psycopg

from platefleet.deploy.bench import ingest_reference as reference
from platefleet.deploy.bench.busy import Busy
from platefleet.deploy.bench.latency_site import MOSQUITTO
from platefleet.deploy.bench.postgresql import OwnPostgresql
from platefleet.deploy.demo.broker import free_port
from platefleet.fleet.store.opening import open_store
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.errors import SessionError

SECONDS = 60.0
LIVE_A_SECOND = 1_100.0
LIVE_GOAL, RATIO_GOAL = 1_000, 0.5
READY_S = 60.0
WORKERS = 2
"""One for each of the processors: the interpreter of one cannot use both."""
SETTLE_SHARE = 0.25
"""Of the time, at the beginning: caches fill, pace is found."""
LOAD, FLOOD = "platefleet.deploy.bench.ingest_load", "platefleet.deploy.bench.ingest_flood"
COMMIT_SQL = (
    "ready arrivals made into rows, COPY to staging, INSERT … ON CONFLICT DO NOTHING RETURNING, COPY to crops, "
    "coverage locked, read and written, COMMIT; no MQTT, decoding or acks"
)
STAGING_SQL = "ready rows: COPY to staging, INSERT … ON CONFLICT DO NOTHING RETURNING, COMMIT"
COPY_SQL = "ready rows: COPY to records, COMMIT"
Row = dict[str, Any]


def rows(seconds: float = SECONDS) -> list[Row]:
    """Measure; takes some four times `seconds`. Raises SessionError, StoreError for what is not installed."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise SessionError("ingest: mosquitto is not installed; on Debian apt-get install mosquitto brings it.")
    with tempfile.TemporaryDirectory(prefix="platefleet-bench-", ignore_cleanup_errors=True) as folder:
        own = Path(folder) / "postgresql"
        own.mkdir()
        Path(folder).chmod(0o755)  # for the user who runs PostgreSQL
        with OwnPostgresql(own) as server, ExitStack() as owned:
            open_store(server.url, clock=SystemClock()).close()
            whole = reference.whole_commit(server.url, seconds / 4)
            staged = reference.staging(server.url, seconds / 4)
            copied = reference.copy(server.url, seconds / 4)
            site = _Site(Path(folder), program, server.url, owned)
            live = site.load([LOAD, "live"], seconds, LIVE_A_SECOND)
            flood = site.load([FLOOD], seconds)
            backfill = site.load([LOAD, "backfill"], seconds, 0)

    def held_against(row: Row) -> Row:
        ratios = {"to_commit": whole, "to_staging": staged, "to_copy": copied}
        told = {name: round(row["a_second"] / each["a_second"], 2) for name, each in ratios.items()}
        return {**row, **told}

    crops = f"backfill, {reference.CROP_BYTES} byte crops"
    return [
        {"what": "live singles, acks on", **live, "goal": f"{LIVE_GOAL} a second"},
        {"what": f"{crops}, acks on", **held_against(flood), "goal": f"to_commit {RATIO_GOAL}"},
        {"what": f"{crops}, acks on, real outboxes and uplinks", **held_against(backfill)},
        {"what": "reference: a whole commit from memory, alone", **whole, "contains": COMMIT_SQL},
        {"what": "reference: its staging alone", **staged, "contains": STAGING_SQL},
        {"what": "reference: COPY alone", **copied, "contains": COPY_SQL},
    ]


class _Site:
    """Mosquitto and the workers, until `owned` is closed."""

    def __init__(self, folder: Path, mosquitto: str, url: str, owned: ExitStack) -> None:
        self._url, self._folder, self._port = url, folder, free_port()
        (folder / "mosquitto.conf").write_text(MOSQUITTO.format(port=self._port))
        self._out = owned.enter_context((folder / "out").open("ab"))
        self._owned, self._processes = owned, list[subprocess.Popen[bytes]]()
        self._run([mosquitto, "-c", "mosquitto.conf"])
        ingest = [sys.executable, "-m", "platefleet.deploy.cli", "ingest", "run", *self._options()]
        self._workers = [psutil.Process(self._run([*ingest, "--slot", str(n + 1)])) for n in range(WORKERS)]
        self._database = owned.enter_context(psycopg.connect(url, autocommit=True))

    def _options(self) -> list[str]:
        return ["--broker", f"127.0.0.1:{self._port}", "--database", self._url, "--group", "bench"]

    def _run(self, command: list[str]) -> int:
        process = subprocess.Popen(command, cwd=self._folder, stdout=self._out, stderr=self._out)
        self._owned.callback(_end, process)
        self._processes.append(process)
        return process.pid

    def _all_alive(self) -> None:
        if any(process.poll() is not None for process in self._processes):
            raise SessionError(f"ingest: a program of this measurement ended; the programs said: {self._said()}")

    def _said(self) -> str:
        return (self._folder / "out").read_text(errors="replace")[-500:]

    def _memory(self) -> int:
        return sum(int(each.memory_info().rss) for each in self._workers)

    def load(self, program: list[str], seconds: float, *rate: float) -> Row:
        """Let devices load it; return what was committed a second, once it had settled, and ingest's memory."""
        before = self._count()
        module, *kind = program
        command = [sys.executable, "-m", module, str(self._port), *kind, str(seconds), *map(str, rate)]
        devices = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.PIPE, stderr=self._out)
        try:
            self._wait(lambda: self._count() > before + 100)
            began_s = time.monotonic()
            time.sleep(seconds * SETTLE_SHARE)
            busy, most = Busy(), self._memory()
            count, at_s, used = self._count(), time.monotonic(), most
            while (left_s := began_s + seconds - 1.0 - time.monotonic()) > 0:
                time.sleep(min(1.0, left_s))
                most = max(most, self._memory())
            committed, spent_s, others = self._count() - count, time.monotonic() - at_s, busy.others()
            self._all_alive()
            then = self._memory()
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
            "sent_live": told.get("live"),
            "resent": told["resent"],
            "ack_ms_p50": told.get("ack_ms_p50"),
            "ack_ms_p99": told.get("ack_ms_p99"),
            "memory_mb": round(used / 1e6, 1),
            "memory_after_mb": round(then / 1e6, 1),
            "memory_most_mb": round(most / 1e6, 1),
            "others_cores": others,
        }

    def _count(self) -> int:
        """Return how many names are covered: a few rows to read, however many records there are."""
        found = self._database.execute('SELECT coalesce(sum("last" - "first" + 1), 0) FROM coverage').fetchone()
        return int(found[0]) if found else 0

    def _wait(self, there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_S
        while not there():
            if time.monotonic() > deadline:
                told = f"nothing was committed within {READY_S:g} s; the programs said: {self._said()}"
                raise SessionError(f"ingest: {told}")
            time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
