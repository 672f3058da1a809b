"""`platefleet simulate` as a program: it finds what is lost, ends when asked, and leaves nothing behind.

`make soak` simulates 300 devices for ten minutes.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from platefleet.fleet.store.opening import open_store
from platefleet.protocol.clock import SystemClock
from tests.faults.server import a_server
from tests.mosquitto import Mosquitto
from tests.until import until

ROOT = Path(__file__).resolve().parents[2]
FAULTS = """
[[faults]]
kind = "broker restart"
at_s = 2.0
for_s = 0.3
[[faults]]
kind = "link cut"
at_s = 3.0
for_s = 0.3
[[faults]]
kind = "ingest kill"
at_s = 3.5
for_s = 0.3
"""
SOAK = os.environ.get("PLATEFLEET_SOAK") == "1"
LASTS_S = int(os.environ.get("PLATEFLEET_SECONDS", "600"))
FLEET = ("--devices", "300", "--rate", "6", "--for", str(LASTS_S), "--settle", "300")
FEW = ("--devices", "5", "--rate", "60", "--for", "5")
pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(LASTS_S + 600 if SOAK else 180)]


@contextmanager
def simulating(folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "platefleet.deploy.cli", "simulate", "--out", "out", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "40"}
    with (folder / "said").open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out, env=environment)
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)


@contextmanager
def a_database() -> Iterator[tuple[str, ...]]:
    """Two workers of a fleet want PostgreSQL; a few devices do with SQLite."""
    if not SOAK:
        yield ()
        return
    with a_server() as server:
        yield "--database", server.address


def said(folder: Path) -> str:
    return (folder / "said").read_text(errors="replace")


def everything_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_what_happens_to_broker_link_and_ingest_loses_nothing(tmp_path: Path) -> None:
    faults = Path(__file__).with_name("fleet.toml").read_text() if SOAK else FAULTS
    (tmp_path / "faults.toml").write_text(faults)
    with a_database() as database:
        options = ("--workers", "2", "--faults", "faults.toml", *database)
        with simulating(tmp_path, *(FLEET if SOAK else FEW), *options) as process:
            assert process.wait(LASTS_S + 500 if SOAK else 120) == 0, said(tmp_path)
    print("\n" + said(tmp_path))
    found = re.search(
        r"appended (\d+), committed (\d+), gone 0, excused 0, missing 0, twice 0, foreign 0", said(tmp_path)
    )
    assert found is not None, said(tmp_path)
    assert int(found[1]) == int(found[2]) > 10


def test_records_that_nobody_commits_are_missing_and_the_status_says_so(tmp_path: Path, mosquitto: Mosquitto) -> None:
    database = f"sqlite:///{tmp_path}/empty.db"
    open_store(database, clock=SystemClock()).close()
    options = ("--broker", f"127.0.0.1:{mosquitto.port}", "--database", database)
    with simulating(tmp_path, *options, "--devices", "2", "--rate", "120", "--for", "3", "--settle", "1") as process:
        assert process.wait(120) == 1, said(tmp_path)
    assert re.search(r"committed 0, gone 0, excused 0, missing [1-9]", said(tmp_path)), said(tmp_path)
    assert "missing: sim-" in said(tmp_path)
    assert f"ledger in {tmp_path}/out/ledger\n" in said(tmp_path), "a path is broken nowhere"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_it_ends_within_two_seconds_and_with_it_everything_that_it_started(
    tmp_path: Path, number: signal.Signals
) -> None:
    with simulating(tmp_path, "--devices", "120", "--for", "600") as process:
        until(lambda: "rows in the store" in said(tmp_path) or process.poll() is not None, 120)
        started = everything_of(process)
        assert len(started) >= 4  # two processes of devices, broker, ingest
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(20) == (130 if number == signal.SIGINT else -signal.SIGKILL)
        took_s = time.monotonic() - began
        until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in started), 20)
    assert took_s < 10  # two seconds on a machine that has nothing else to do
