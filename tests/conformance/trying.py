"""What is tried by the kit in these tests: programs as real processes, and brokers of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import pytest

from platefleet.fleet.conformance.outcome import Outcome
from tests.mosquitto import Mosquitto, Options
from tests.prerequisites import broker as installed

ROOT = Path(__file__).resolve().parents[2]

Ends = list[Callable[[], object]]
"""What stops everything that was started."""
AGE_LIMIT_MS = 10_000
"""The most that our gate takes: a machine that is busy with other tests may not make a car look late."""
STARTS_S = 90.0
"""How long a program may take to start on such a machine."""
Results = dict[str, "Future[list[Outcome]]"]


@dataclass(frozen=True)
class Tried:
    """What came of every try, by name."""

    controllers: Results
    ingests: Results


def failed(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.point: outcome.reason for outcome in outcomes if outcome.status == "failed"}


def not_run(outcomes: list[Outcome]) -> set[str]:
    return {outcome.point for outcome in outcomes if outcome.status == "not run"}


def a_broker(folder: Path) -> Mosquitto:
    """Start a Mosquitto in `folder`, or skip where there is none."""
    program = installed()
    if program is None:
        pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
    folder.mkdir()
    mosquitto = Mosquitto(program, folder, Options())
    mosquitto.start()
    return mosquitto


class Program:
    """A process that can be killed and started again, as a power cut does. `log` holds what it said."""

    def __init__(self, argv: list[str], folder: Path) -> None:
        self._argv = argv
        self._folder = folder
        self.log = folder / "log"
        self.start()

    def start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, cwd=self._folder, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def restart(self) -> None:
        self.kill()
        self.start()


def platefleet(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "platefleet.deploy.cli", *arguments]
