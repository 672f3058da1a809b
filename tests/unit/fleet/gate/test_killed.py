"""SIGKILL anywhere around intent, pulse and result: at most one pulse a pass, and a person is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from platefleet.fleet.gate.calendar import Calendar
from platefleet.fleet.gate.core import Core
from platefleet.fleet.gate.facts import Moved, Pulse
from platefleet.fleet.gate.journal import Journal
from platefleet.fleet.gate.replay import replay
from platefleet.protocol.clock import SystemClock, boot_id
from platefleet.protocol.messages import Decision
from tests.gate_builders import ON_THE_LIST, RULE, a_list, announced

CLOCK = SystemClock()
STEPS = 40
"""More than a child ever reaches: writes, syncs, renames and pulses from its start to its end."""


def life(journal: Journal, tell: list[Decision], submit: list[Pulse]) -> Core:
    """One controller's life up to where it hears announcements."""
    past = replay(journal.entries, boot_id(), CLOCK.now().mono_ns)
    calendar = Calendar("UTC", boot_id(), lambda _: "assumed", past.newest_utc_ns)
    core = Core(
        {RULE.key: RULE},
        a_list(ON_THE_LIST),
        journal,
        past,
        clock=CLOCK,
        calendar=calendar,
        submit=submit.append,
        tell=tell.append,
    )
    core.begin(tells=True)
    return core


def announce(folder: Path) -> tuple[list[str], list[str]]:
    """Hear one pass three times; each pulse is a line in a file, which stays like a barrier that went up.

    Returns what is shown as trouble, and the verdicts told.
    """
    told: list[Decision] = []
    pulses: list[Pulse] = []
    with Journal(folder / "gate.journal") as journal:
        core = life(journal, told, pulses)
        for _ in range(3):
            core.announced(RULE.key, announced())
            while pulses:
                pulse = pulses.pop()
                with (folder / "pulses").open("a") as file:
                    file.write(f"{pulse.token}\n")
                core.moved(Moved(pulse.token, "opened", ""))
    return core.troubles(), [decision.verdict for decision in told]


def child(folder: Path, step: int | None) -> None:
    """Run `announce`, killed before the given system call of those that change something."""
    left = [step]

    def watch(event: str, _: object) -> None:
        if left[0] is not None and event in {"os.rename", "platefleet.step"}:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    for name in ("write", "fdatasync", "fsync", "ftruncate"):
        setattr(os, name, _counted(getattr(os, name)))
    sys.addaudithook(watch)
    announce(folder)


def _counted(call):  # type: ignore[no-untyped-def]
    def counted(*arguments):  # type: ignore[no-untyped-def]
        sys.audit("platefleet.step")
        result = call(*arguments)
        sys.audit("platefleet.step")
        return result

    return counted


def killed_at(folder: Path, step: int) -> bool:
    """Run a child that is killed before that step; return whether there was one."""
    module = "tests.unit.fleet.gate.test_killed"
    code = f"from pathlib import Path; from {module} import child; child(Path({str(folder)!r}), {step})"
    root = Path(__file__).resolve().parents[4]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    ended = subprocess.run([sys.executable, "-c", code], check=False, env=environment, cwd=root)
    assert ended.returncode in {0, -signal.SIGKILL}
    return ended.returncode != 0


@pytest.mark.slow
def test_wherever_it_is_killed_a_pass_is_opened_at_most_once_and_what_is_unknown_is_shown(tmp_path: Path) -> None:
    killed = shown = opened = 0
    for step in range(STEPS):
        folder = tmp_path / str(step)
        folder.mkdir()
        alive = not killed_at(folder, step)
        pulses = folder / "pulses"
        before = pulses.read_text() if pulses.exists() else ""
        trouble, verdicts = announce(folder)
        after = pulses.read_text() if pulses.exists() else ""
        assert len(after.splitlines()) <= 1
        assert before in {"", after}
        if trouble:
            shown += 1
            assert "may have opened" in trouble[0]
            assert "output failed" in verdicts
        else:
            # Whatever is not shown has opened: nobody who may come in waits unnoticed.
            assert after
        opened += bool(after)
        if alive:
            break
        killed += 1
    else:
        pytest.fail("the sweep did not reach the end")
    assert killed >= 8
    assert 0 < shown < killed
    assert opened > shown
