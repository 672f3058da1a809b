"""A simulated machine that starts anew: small monotonic time, and a wall clock that is wrong until it is set."""

from __future__ import annotations

import json
from pathlib import Path

from platefleet.deploy.simulate.boots import Boot, BootClock
from platefleet.deploy.simulate.child import Plan
from platefleet.protocol.clock import SECOND_NS
from tests.turned_clock import TurnedClock

ID = "00000000-0000-4000-8000-000000000002"


def test_its_clocks_begin_anew_and_the_wall_clock_is_right_once_it_is_set() -> None:
    real = TurnedClock()
    boot = Boot(ID, real.now().mono_ns, utc_ns=7, synced_ns=2 * SECOND_NS)
    clock = BootClock(boot, real)
    first = clock.now()
    real.turn(2.0)
    second = clock.now()
    assert (first.mono_ns, first.utc_ns, clock.state(first)) == (0, 7, "unsynced")
    assert (second.mono_ns, second.utc_ns, clock.state(second)) == (2 * SECOND_NS, real.now().utc_ns, "synced")
    assert clock.boot == ID != real.boot


def test_a_clock_that_nobody_sets_stays_wrong() -> None:
    real = TurnedClock()
    clock = BootClock(Boot(ID, real.now().mono_ns), real)
    real.turn(1e6)
    assert clock.now().utc_ns == clock.now().mono_ns
    assert clock.state(clock.now()) == "unsynced"


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = Plan("1", ["d"], "h", 1, "f", boot=Boot(ID, 1, 2, 3))
    plan.write(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == Plan(**{**vars(plan), "stands_s": [1.0, 5.0]})
    assert json.loads((tmp_path / "plan.json").read_text())["boot"]["id"] == ID
