"""Ingest as programs on the real Mosquitto and the real PostgreSQL: two workers, one killed; the database away."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from platefleet.fleet.ingest.inbox import BYTES_MOST, RECORDS_MOST
from platefleet.fleet.ingest.worker import Ingest, ingest_session
from platefleet.fleet.store.opening import open_store
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.frame import FRAME_LIMIT_BYTES
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.delivery.uplink import Uplink
from platefleet.protocol.session import Session
from tests.mosquitto import Mosquitto
from tests.postgresql import Postgresql
from tests.record_builders import a_crop, a_pass
from tests.seen import Seen
from tests.until import until

pytestmark = pytest.mark.broker
CLOCK = SystemClock()
RECORDS = 700
Worker = Callable[[str], "subprocess.Popen[bytes]"]
Device = Callable[[str], tuple[MemoryOutbox, Uplink]]


@pytest.fixture
def device(mosquitto: Mosquitto) -> Iterator[Device]:
    """Start devices with outboxes; all are stopped at the end."""
    started: list[Uplink] = []

    def start(name: str) -> tuple[MemoryOutbox, Uplink]:
        outbox = MemoryOutbox(clock=CLOCK)
        uplink = Uplink(Session(name, mosquitto.broker, clock=CLOCK), outbox, clock=CLOCK)
        uplink.start()
        started.append(uplink)
        return outbox, uplink

    yield start
    for uplink in started:
        uplink.stop()


@pytest.fixture
def url(postgresql_server: Postgresql, empty_store: str) -> str:
    return postgresql_server.database(empty_store)


@pytest.fixture
def worker(mosquitto: Mosquitto, url: str, tmp_path: Path) -> Iterator[Worker]:
    """Start `platefleet ingest run` on a shared subscription, by slot; what still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(slot: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "platefleet.deploy.cli", "ingest", "run", "--broker"]
        command += [f"127.0.0.1:{mosquitto.port}", "--database", url, "--slot", slot, "--group", "ingest"]
        with (tmp_path / slot).open("ab") as log:
            started.append(subprocess.Popen(command, stderr=log, cwd=tmp_path, env=dict(os.environ)))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def connections(url: str) -> int:
    return int(Seen(url).rows("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'platefleet'")[0][0])


def test_two_workers_share_one_database_and_one_that_is_killed_loses_nothing(
    worker: Worker, device: Device, url: str
) -> None:
    seen = Seen(url)
    doomed = worker("a")
    until(lambda: connections(url) == 1, 60)
    outboxes = [device(f"north-{n}") for n in range(3)]
    survivor = worker("b")
    until(lambda: connections(url) == 2, 60)
    stop = threading.Event()

    def append() -> None:
        for n in range(RECORDS):
            for outbox, uplink in outboxes:
                record = outbox.append("plate", a_pass(revision=n % 1000 + 1))
                if n % 5 == 0:
                    uplink.tell(record, CLOCK.now().mono_ns)
            stop.wait(0.0005)

    thread = threading.Thread(target=append)
    thread.start()
    until(lambda: seen.count("records") > 150, 60)
    doomed.kill()
    thread.join()
    assert all(uplink.wait_covered(60) for _, uplink in outboxes)
    assert survivor.poll() is None
    expected = {
        (f"north-{n}", outbox.epoch, seq) for n, (outbox, _) in enumerate(outboxes) for seq in range(1, RECORDS + 2)
    }
    assert set(seen.names()) == expected
    assert set(seen.covered_names()) == expected
    assert seen.count("records") == len(expected)
    assert seen.coverage() == [(f"north-{n}", outbox.epoch, 1, RECORDS + 1) for n, (outbox, _) in enumerate(outboxes)]


def test_while_the_database_is_away_memory_is_bounded_and_afterwards_everything_is_there(
    own_postgresql: Postgresql, mosquitto: Mosquitto, device: Device
) -> None:
    url = own_postgresql.url()
    store = open_store(url, clock=CLOCK)
    session = ingest_session("ingest-1", mosquitto.broker, "1", store, clock=CLOCK)
    ingest = Ingest(session, store, clock=CLOCK)
    ingest.start()
    try:
        (outbox, uplink), (other_outbox, other) = device("north-1"), device("north-2")
        assert uplink.wait_covered(20)
        assert other.wait_covered(20)
        own_postgresql.stop()
        for n in range(1, 301):
            outbox.append("crops", a_crop(90_000))  # 27 MB, more than ingest keeps
            uplink.tell(other_outbox.append("plate", a_pass(revision=n)), CLOCK.now().mono_ns)
        until(lambda: ingest.trouble, 20)
        until(lambda: not uplink.wait_covered(0.0) and ingest.counters.failures >= 3, 30)
        records, size_bytes = ingest.waiting
        assert records <= RECORDS_MOST
        assert size_bytes <= BYTES_MOST + FRAME_LIMIT_BYTES
        own_postgresql.start()
        assert uplink.wait_covered(60)
        assert other.wait_covered(60)
        assert ingest.trouble == ""
    finally:
        ingest.stop()
        store.close()
    seen = Seen(url)
    assert seen.count("crops") == 300
    assert sorted(seen.names()) == sorted(seen.covered_names())
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (602,)
