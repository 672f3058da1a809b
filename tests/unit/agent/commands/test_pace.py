"""How often the commands' thread looks: every second while something is open, seldom while nothing is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from platefleet.agent.commands.worker import IDLE_TICK_NS, POLL_S
from platefleet.models.operations import operations
from platefleet.models.operations.port import Operation
from platefleet.protocol.clock import SECOND_NS
from tests.commanded import Commanded
from tests.until import BUSY, until

IDLE_S = IDLE_TICK_NS // SECOND_NS
SECONDS = 4 * IDLE_S


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Commanded]:
    device = Commanded(tmp_path, poll_s=0.01).start()
    yield device
    device.stop()


def pauses(device: Commanded) -> list[int]:
    """Turn the clock second by second; return how many lay between two looks."""
    looks: list[int] = []
    device.commands.chores = (lambda now: looks.append(now.now.mono_ns // SECOND_NS),)
    for _ in range(SECONDS):
        device.clock.turn(1)
        before = device.rounds
        until(lambda before=before: device.rounds >= before + 2, 10)
    return [after - before for before, after in pairwise(looks)]


def test_it_looks_seldom_while_nothing_is_open(device: Commanded) -> None:
    device.until(device.send("diagnose"), "succeeded")
    assert set(pauses(device)) == {IDLE_S}


def test_it_looks_every_second_while_something_waits(device: Commanded) -> None:
    later = device.clock.now().utc_ns + 3600 * SECOND_NS
    device.until(device.send("diagnose", not_before=later, not_after=later + 3600 * SECOND_NS), "waiting")
    assert set(pauses(device)) == {1}


def test_what_comes_is_begun_at_once_however_seldom_it_looks(device: Commanded) -> None:
    device.until(device.send("diagnose"), "succeeded")
    device.until(device.send("diagnose"), "succeeded")  # and nobody turned the clock


def test_it_hears_of_its_end_within_a_second_however_seldom_it_looks(tmp_path: Path) -> None:
    device = Commanded(tmp_path, poll_s=POLL_S).start()
    device.until(device.send("diagnose"), "succeeded")
    began = time.monotonic()
    device.stop(wake=False)
    assert time.monotonic() - began < POLL_S + 0.5 * BUSY


def test_it_ends_at_once_when_it_is_woken(tmp_path: Path) -> None:
    device = Commanded(tmp_path, poll_s=60.0).start()
    device.until(device.send("diagnose"), "succeeded")
    began = time.monotonic()
    device.stop()
    assert time.monotonic() - began < 0.5 * BUSY


def test_a_step_is_told_at_once(tmp_path: Path) -> None:
    stepped, go_on = threading.Event(), threading.Event()

    def known() -> dict[str, Operation[Any, Any]]:
        diagnose = operations()["diagnose"]

        def run(arguments: Any, host: Any, attempt: Any) -> Any:
            attempt.step(diagnose.steps[0].name)
            stepped.set()
            go_on.wait(10)
            return diagnose.run(arguments, host, attempt)

        return {"diagnose": replace(diagnose, run=run)}

    device = Commanded(tmp_path, poll_s=60.0, known=known).start()
    id_ = device.send("diagnose")
    assert stepped.wait(10)
    began = time.monotonic()
    until(lambda: any(status.step for status in device.statuses(id_)), 10)
    assert time.monotonic() - began < 0.5 * BUSY
    go_on.set()
    device.until(id_, "succeeded")
    device.stop()
