"""`platefleet conformance` as a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from platefleet.deploy.cli import main
from platefleet.fleet.conformance.controller.plates import OWN
from platefleet.fleet.conformance.controller.points import names
from tests.conformance.reference_controller import Controller
from tests.conformance.reference_ingest import Ingest
from tests.conformance.trying import ROOT, platefleet
from tests.mosquitto import Mosquitto
from tests.until import until


class Run(Protocol):
    """Runs the command line in this process; returns its status and what it printed on stdout and stderr."""

    def __call__(self, *options: str) -> tuple[int, str, str]: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("COLUMNS", "100")

    def call(*options: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["platefleet", "conformance", *options])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


@pytest.fixture
def controller(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Start the reference controller; its output appends what `says` makes of a plate to the file that is returned."""
    started: list[Controller] = []

    def start(wrong: str = "", says: Callable[[str], str] = str) -> Path:
        path = tmp_path / "pulses"

        def lift(plate: str) -> None:
            with path.open("a") as file:
                file.write(f"{says(plate)}\n")

        started.append(Controller(mosquitto.broker, "conformance-1", listed=frozenset(OWN), lift=lift, wrong=wrong))
        return path

    yield start
    for each in started:
        each.stop()


def only(*points: str) -> list[str]:
    return [word for point in points for word in ("--only", point)]


@pytest.mark.broker
def test_a_failed_point_is_told_with_its_reason_and_is_status_1(
    mosquitto: Mosquitto, controller: Callable[..., Path]
) -> None:
    pulses = controller("receding")
    where = ["--broker", f"127.0.0.1:{mosquitto.port}", "--pulse-file", str(pulses)]
    argv = platefleet("conformance", "controller", *where, *only("receding", "opens", "broker-restart"), "--json")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120, env=environment)
    told = {line["point"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert {point: line["result"] for point, line in told.items()} == {
        "opens": "passed",
        "receding": "failed",
        "broker-restart": "not run",
    }
    assert "never would be right" in told["receding"]["reason"]
    assert told["broker-restart"]["reason"] == "needs a command for the broker restart"
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.broker
def test_pulses_that_name_no_plate_are_enough(mosquitto: Mosquitto, controller: Callable[..., Path], run: Run) -> None:
    pulses = controller(says=lambda _: "opened")
    where = ["--broker", f"127.0.0.1:{mosquitto.port}", "--pulse-file", str(pulses), "--pulses", "bare"]
    status, told, _ = run("controller", *where, *only("revisions", "unlisted", "receding"))
    assert status == 0, told
    assert "3 passed, 0 failed, 0 not run" in told


@pytest.mark.broker
def test_a_controller_that_is_not_there_fails_everything(mosquitto: Mosquitto, tmp_path: Path, run: Run) -> None:
    where = ["--broker", f"127.0.0.1:{mosquitto.port}", "--pulse-file", str(tmp_path / "pulses"), "--wait", "0.5"]
    status, told, _ = run("controller", *where, *only("receding", "beats"))
    assert status == 1
    assert "2 failed" in told
    assert "no beat came" in told


@pytest.mark.broker
def test_an_ingest_is_tried_by_one_command(mosquitto: Mosquitto, run: Run) -> None:
    ingest = Ingest(mosquitto.broker, ("conformance-1", "conformance-2"))
    until(ingest.serves)
    status, told, _ = run("ingest", "--broker", f"127.0.0.1:{mosquitto.port}", *only("commits", "host", "killed"))
    ingest.stop()
    assert status == 0, told
    assert "2 passed, 0 failed, 1 not run" in told


def test_points_and_plates_are_listed_without_a_broker(run: Run) -> None:
    assert run("controller", "--list-plates")[1].split() == list(OWN)
    told = run("controller", "--list", "--json")[1]
    assert [json.loads(line)["point"] for line in told.splitlines()] == list(names())
    assert "two-devices" in run("ingest", "--list")[1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["controller"], "--pulse-file or --pulse-http: name one of them"),
        (["controller", "--pulse-file", "/nonexistent/pulses"], "cannot be opened"),
        (["controller", "--pulse-file", os.devnull, "--only", "nothing"], "there is no point 'nothing'"),
        (["controller", "--pulse-file", os.devnull, "--listed", "KTX333"], "1 plates are too few"),
        (["controller", "--pulse-file", os.devnull, "--pulses", "loud"], "'loud' is neither plate nor bare"),
        (["ingest", "--broker", "nowhere:port"], "'nowhere:port' is no address"),
        (["ingest", "--device", "a/b"], "'a/b' is no name"),
        (["ingest", "--restart-command", "'"], "is no command"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_status_1(options: list[str], sentence: str, run: Run) -> None:
    status, _, said = run(*options)
    assert status == 1
    assert sentence in said
    assert len(said.splitlines()) == 1
