"""SIGKILL anywhere around intent, pulse, result and outbox: one pulse a pass at most, each entry told once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from platefleet.protocol.delivery.durable import open_outbox
from tests.gate_lives import CLOCK, a_life, journaled, recorded

STEPS = 60
"""More than a child ever reaches: writes, syncs, renames, commits and pulses from its start to its end."""


def announce(folder: Path, step: Callable[[], None] = lambda: None) -> list[str]:
    """Hear one pass three times; each pulse is a line in a file, which stays like a barrier that went up.

    step: called before and after whatever the outbox makes durable. Returns what is shown as trouble.
    """
    outbox = open_outbox(folder / "outbox", clock=CLOCK, slow_s=30)
    outbox.append = around(outbox.append, step)  # type: ignore[method-assign]
    try:
        with a_life(folder / "gate.journal", outbox) as life:
            for _ in range(3):
                life.announce()
                while life.pulses:
                    with (folder / "pulses").open("a") as file:
                        file.write(f"{life.pulses[0].token}\n")
                    life.answer()
            return life.core.troubles()
    finally:
        outbox.close()


def around(call: Any, step: Callable[[], None]) -> Any:
    """Return `call` with a step before and one after it."""

    def called(*arguments: Any, **named: Any) -> Any:
        step()
        result = call(*arguments, **named)
        step()
        return result

    return called


def child(folder: Path, last: int) -> None:
    """Run `announce`, killed before the given one of the steps that change something."""
    left = [last]

    def step() -> None:
        if threading.current_thread() is threading.main_thread():
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    for name in ("write", "fdatasync", "fsync"):
        setattr(os, name, around(getattr(os, name), step))
    sys.addaudithook(lambda event, _: step() if event == "os.rename" else None)
    announce(folder, step)


def sweep(folder: Path) -> None:
    """Run a child for each step, each in a folder of its own, until one reaches the end; print its step.

    Forked, because imports cost ten times what a child does: this runs in a process with one thread.
    """
    for step in range(STEPS):
        place = folder / str(step)
        place.mkdir()
        process = os.fork()
        if not process:
            child(place, step)
            os._exit(0)
        status = os.waitpid(process, 0)[1]
        if os.WIFEXITED(status):
            print(step, os.WEXITSTATUS(status))
            return
        assert os.WTERMSIG(status) == signal.SIGKILL


def swept(folder: Path) -> int:
    """Run the sweep; return how many children were killed before one reached the end."""
    code = (
        f"from pathlib import Path; from tests.unit.fleet.gate.test_killed import sweep; sweep(Path({str(folder)!r}))"
    )
    root = Path(__file__).resolve().parents[4]
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    said = subprocess.run(command, check=True, env=environment, cwd=root, capture_output=True, text=True).stdout
    killed, status = map(int, said.split())
    assert status == 0
    return killed


@pytest.mark.slow
def test_wherever_it_is_killed_a_pass_is_opened_at_most_once_and_the_store_is_told_each_decision_once(
    tmp_path: Path,
) -> None:
    killed = swept(tmp_path)
    shown = opened = 0
    for step in range(killed + 1):
        folder = tmp_path / str(step)
        pulses = folder / "pulses"
        before = pulses.read_text() if pulses.exists() else ""
        trouble = announce(folder)
        after = pulses.read_text() if pulses.exists() else ""
        assert len(after.splitlines()) <= 1
        assert before in {"", after}
        outbox = open_outbox(folder / "outbox", clock=CLOCK)
        told = recorded(outbox)
        outbox.close()
        assert told == journaled(folder / "gate.journal")
        assert [decision.phase for decision in told] == ["intent", "result"]
        if trouble:
            shown += 1
            assert "may have opened" in trouble[0]
            assert told[1].verdict == "output failed"
        else:
            # Whatever is not shown has opened: nobody who may come in waits unnoticed.
            assert after
        opened += bool(after)
    assert killed >= 12
    assert 0 < shown < killed
    assert opened > shown
