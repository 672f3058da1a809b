"""`platefleet ingest run` as a program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.delivery.uplink import Uplink
from platefleet.protocol.session import Session
from tests.mosquitto import MakeMosquitto
from tests.record_builders import a_pass
from tests.seen import Seen
from tests.until import BUSY, until

pytestmark = pytest.mark.broker
CLOCK = SystemClock()
Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Start the program; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "platefleet.deploy.cli", "ingest", "run", *options]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env={**os.environ, **environment}
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_it_commits_what_a_device_tells_and_ends_within_two_seconds_of_a_signal(
    make_mosquitto: MakeMosquitto, tmp_path: Path, run: Run
) -> None:
    mosquitto = make_mosquitto(users={"ingest": "s3cret", "north-1": "x"})
    (tmp_path / "password").write_text("s3cret\n")
    process = run(
        "--broker",
        f"127.0.0.1:{mosquitto.port}",
        "--username",
        "ingest",
        "--password-file",
        str(tmp_path / "password"),
        PLATEFLEET_INGEST_DATABASE="sqlite:///here.db",
    )
    outbox = MemoryOutbox(clock=CLOCK)
    device = Session("north-1", replace(mosquitto.broker, username="north-1", password="x"), clock=CLOCK)
    uplink = Uplink(device, outbox, clock=CLOCK)
    uplink.start()
    outbox.append("plate", a_pass("AB12"))
    assert uplink.wait_covered(20)
    uplink.stop()
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=10)
    assert time.monotonic() - began < 2 * BUSY
    assert process.returncode == 0
    assert "committed 2" in said.splitlines()[-1]
    assert Seen(tmp_path / "here.db").plates() == [("north-1", "in", 1, "AB12")]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--broker", "nowhere:port"], "'nowhere:port' is no address"),
        (["--database", "mysql://db/fleet"], "mysql is not supported"),
        (["--password-file", "/nonexistent"], "--password-file: /nonexistent cannot be read"),
        (["--slot", "a/b"], "'a/b' is no name"),
        (["--ca-file", "/nonexistent"], "--ca-file: /nonexistent cannot be read"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_status_1(run: Run, options: list[str], sentence: str) -> None:
    process = run(*options)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert sentence in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1


def test_a_file_that_is_no_database_is_not_waited_for(run: Run, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear store, " * 1000)
    process = run("--broker", "127.0.0.1:1", "--database", f"sqlite:///{tmp_path}/letter")
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert said == f"platefleet: store {tmp_path}/letter: is no SQLite database; name another file.\n"


def test_a_database_that_cannot_be_opened_yet_is_waited_for(run: Run, tmp_path: Path) -> None:
    process = run("--broker", "127.0.0.1:1", "--database", f"sqlite:///{tmp_path}/later/store.db")
    assert process.stderr is not None
    assert "its folder must exist" in process.stderr.readline()
    (tmp_path / "later").mkdir()
    until((tmp_path / "later" / "store.db").exists, 15)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_a_broker_that_refuses_is_said_once(make_mosquitto: MakeMosquitto, tmp_path: Path, run: Run) -> None:
    mosquitto = make_mosquitto(users={"ingest": "s3cret"})
    (tmp_path / "password").write_text("another\n")
    options = ("--username", "ingest", "--password-file", str(tmp_path / "password"), "--database", "sqlite:///here.db")
    process = run("--broker", f"127.0.0.1:{mosquitto.port}", *options)
    until(lambda: mosquitto.log().count("not authorised") >= 2, 60)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert said.count("Not authorized") == 1, said
    assert "refused " in said.splitlines()[-1]
