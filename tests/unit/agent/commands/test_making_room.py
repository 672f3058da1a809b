"""Heavy work in a real child makes room: it stands still for a car, stops for what lasts, and goes on later."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from platefleet.models.build.child import Tell
from platefleet.models.operations import operations
from platefleet.models.operations.child import carried_out
from platefleet.models.operations.evaluate import Evaluate, Evaluated
from platefleet.models.operations.port import Host, Job, Operation
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.commands.holds import PAUSED_NS, SLOW_NS, Hours, Situation
from tests.commanded import Commanded
from tests.until import until


def works(tell: Tell, until_there: Path) -> str:
    """Work until a file is there, in a child, and say so in another."""
    until_there.with_name("began").touch()
    while not until_there.exists():
        tell("working", None)
        time.sleep(0.05)
    return "done"


@dataclass
class Heavy:
    """A device on which `evaluate` is a child that works until it may end."""

    folder: Path

    def __post_init__(self) -> None:
        self.may_end = self.folder / "may end"
        self.looks = 0
        self.device = Commanded(self.folder, known=lambda: self._known, situation=self._situation)
        self.device.start()

    def _situation(self, standing_still: bool, heavy: bool) -> Situation:
        self.looks += 1
        return self.device._situation(standing_still, heavy)

    @property
    def _known(self) -> Mapping[str, Operation[Any, Any]]:
        real = operations()
        return {**real, "evaluate": replace(real["evaluate"], run=self._run)}

    def _run(self, _: Evaluate, host: Host, job: Job) -> Evaluated:
        job.step("preparing")
        job.step("evaluating")
        said = carried_out(works, self.may_end, what="work", job=job, deadline_s=600)
        return Evaluated(passport={"said": said})

    def begins(self) -> str:
        id_ = self.device.send("evaluate", by="anna", arguments={"role": "plate", "key": "abcd"})
        until((self.folder / "began").exists, 60)
        return id_

    def is_now(self, **how: object) -> None:
        """Let the situation be another."""
        self.device.how = replace(self.device.how, **how)  # type: ignore[arg-type]  # a test's own words
        self.device.clock.turn(2)  # type: ignore[attr-defined]  # it is a TurnedClock

    def child(self) -> psutil.Process | None:
        found = [each for each in psutil.Process().children() if nice_of(each) == 19]
        return found[0] if found else None

    def stands_still(self) -> bool:
        child = self.child()
        return child is not None and child.status() == psutil.STATUS_STOPPED

    @property
    def mono_ns(self) -> int:
        return self.device.clock.now().mono_ns


def nice_of(process: psutil.Process) -> int:
    try:
        return int(process.nice())
    except psutil.Error:
        return 0


@pytest.fixture
def heavy(tmp_path: Path) -> Iterator[Heavy]:
    heavy = Heavy(tmp_path)
    yield heavy
    heavy.may_end.touch()
    heavy.device.stop()
    until(lambda: heavy.child() is None, 60)


def test_a_child_stands_still_for_a_car_and_goes_on_when_it_has_left(heavy: Heavy) -> None:
    id_ = heavy.begins()
    heavy.is_now(car_mono_ns=heavy.mono_ns)
    until(heavy.stands_still, 60)
    heavy.may_end.touch()
    assert heavy.device.states(id_)[-1] == "running"
    heavy.is_now(car_mono_ns=heavy.mono_ns - 16 * SECOND_NS)
    assert heavy.device.until(id_, "succeeded", timeout_s=60).attempt == 1
    assert "waiting" not in heavy.device.states(id_)


def test_cars_that_keep_coming_stop_it_and_it_is_done_after_a_quiet_while(heavy: Heavy) -> None:
    id_ = heavy.begins()
    heavy.is_now(car_mono_ns=heavy.mono_ns)
    until(heavy.stands_still, 60)
    heavy.is_now(car_mono_ns=heavy.mono_ns, paused_ns=PAUSED_NS + 1)
    waiting = heavy.device.until(id_, "waiting", timeout_s=60)
    assert waiting.why is not None
    assert waiting.why.hold == "traffic"
    until(lambda: heavy.child() is None, 60)
    heavy.may_end.touch()
    heavy.is_now(car_mono_ns=heavy.mono_ns - 600 * SECOND_NS, paused_ns=0)
    assert heavy.device.until(id_, "succeeded", timeout_s=60).attempt == 2


def closed(situation: Situation) -> Mapping[str, object]:
    ended_ns = situation.now.utc_ns - (situation.grace_s + 1) * SECOND_NS
    return {"hours": Hours(False, ends_ns=ended_ns, says="the window opens at ten")}


@pytest.mark.parametrize(
    ("how", "hold"),
    [
        (closed, "window"),
        (lambda _: {"temperature_c": 86.0}, "temperature"),
        (lambda now: {"slow_since_ns": now.now.mono_ns - SLOW_NS - 1}, "barrier"),
    ],
)
def test_it_makes_room_and_is_done_when_things_are_better(
    heavy: Heavy, how: Callable[[Situation], Mapping[str, object]], hold: str
) -> None:
    good = heavy.device.how
    id_ = heavy.begins()
    heavy.is_now(**how(replace(heavy.device.how, now=heavy.device.clock.now())))
    waiting = heavy.device.until(id_, "waiting", timeout_s=60)
    assert waiting.why is not None
    assert waiting.why.hold == hold
    until(lambda: heavy.child() is None, 60)
    heavy.may_end.touch()
    heavy.is_now(hours=good.hours, temperature_c=None, slow_since_ns=None)
    assert heavy.device.until(id_, "succeeded", timeout_s=60).attempt == 2


def test_it_may_run_on_for_the_window_s_grace(heavy: Heavy) -> None:
    id_ = heavy.begins()
    ended = Hours(False, ends_ns=heavy.device.clock.now().utc_ns - 100 * SECOND_NS, says="the window opens at ten")
    heavy.is_now(hours=ended)
    for _ in range(3):
        seen = heavy.looks
        heavy.device.clock.turn(2)
        until(lambda seen=seen: heavy.looks > seen, 60)  # type: ignore[misc]
    heavy.may_end.touch()
    assert heavy.device.until(id_, "succeeded", "waiting", timeout_s=60).state == "succeeded"


def test_it_does_not_begin_where_memory_is_short(heavy: Heavy) -> None:
    heavy.is_now(free_memory_bytes=100 << 20)
    id_ = heavy.device.send("evaluate", by="anna", arguments={"role": "plate", "key": "abcd"})
    waiting = heavy.device.until(id_, "waiting")
    assert waiting.why is not None
    assert waiting.why.says == "0.1 of the 0.9 GB that it needs are free"
    heavy.may_end.touch()
    heavy.is_now(free_memory_bytes=2 << 30)
    assert heavy.device.until(id_, "succeeded", timeout_s=60).attempt == 1
