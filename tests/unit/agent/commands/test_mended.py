"""What must hold beside a bad journal, a clock that was set back, and choices that overtake each other."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from platefleet.agent.commands.clockwork import ALLOWED_NS, Clockwork
from platefleet.agent.commands.conditions import Traffic
from platefleet.agent.commands.journal import Journal
from platefleet.agent.commands.superseded import SINCE, newer
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.commands.holds import Hours, Situation, hold
from platefleet.protocol.commands.lifecycle import Life
from platefleet.protocol.commands.order import Order, Terms
from tests.commanded import BOOT, HOUR, Commanded, new_id
from tests.turned_clock import TurnedClock


@pytest.fixture
def device(tmp_path: Path) -> Commanded:
    return Commanded(tmp_path)


def test_a_clock_behind_what_was_signed_is_no_good_clock(tmp_path: Path) -> None:
    clock = TurnedClock()
    journal = Journal(tmp_path / "journal")
    clockwork = Clockwork(journal, clock, lambda: True)
    clockwork.note(clock.now().utc_ns + ALLOWED_NS)
    assert clockwork.good
    clockwork.note(clock.now().utc_ns + ALLOWED_NS + 1)
    assert not clockwork.good
    assert clockwork.now_utc_ns() is None
    clock.turn(1)
    assert clockwork.good
    clockwork.keep()
    late = TurnedClock()
    late.turn(-7200)
    assert not Clockwork(journal, late, lambda: True).good


def test_a_number_that_nobody_can_hold_harms_nobody(device: Commanded) -> None:
    device.start()
    now_ns = device.clock.now().utc_ns
    id_ = device.send("snapshot", by="anna", issued_at=now_ns, not_after=2**63 - 1)
    assert "14 days" in device.until(id_, "rejected").reason
    device.until(device.send("snapshot", by="anna"), "succeeded")
    device.stop()


def test_a_choice_that_waits_is_barred_by_a_newer_one_for_the_same_thing(device: Commanded) -> None:
    device.start()
    now_ns = device.clock.now().utc_ns
    late = {"not_before": now_ns + 600 * SECOND_NS, "builds_on": 0}
    older = device.send("set-window", arguments={"zone": "UTC", "spans": ("01:00-02:00",)}, **late)
    device.until(older, "waiting")
    newest = device.send("set-window", arguments={"zone": "UTC", "spans": ("12:00-13:00",)}, builds_on=1)
    device.until(newest, "succeeded")
    device.clock.turn(700)
    assert "newer choice, version 2" in device.until(older, "rejected").reason
    assert [span.start for span in device.host.window_in_force.spans] == ["12:00"]
    device.stop()


def test_a_desired_state_overtakes_what_was_taken_before_it(device: Commanded) -> None:
    device.start()
    now_ns = device.clock.now().utc_ns
    late = {"not_before": now_ns + 600 * SECOND_NS, "builds_on": 4}
    device.clerk.choose(4, {})
    id_ = device.send("rollback", arguments={"role": "plate"}, **late)
    device.until(id_, "waiting")
    written = device.clerk.written(id_)
    assert written is not None
    assert newer(device.journal, written) is None
    device.journal.remember({SINCE: "6"})
    assert newer(device.journal, written) == 6
    device.stop()


def test_an_operator_may_not_do_heavy_work_at_any_hour(device: Commanded) -> None:
    device.start()
    id_ = device.send("benchmark", by="anna", arguments={"role": "plate", "anyhow": True})
    assert "takes an administrator" in device.until(id_, "rejected").reason
    device.stop()


def test_what_came_in_another_boot_waits_for_a_good_clock(device: Commanded) -> None:
    now_ns = device.clock.now().utc_ns
    order = Order(new_id(), "snapshot", "anna", now_ns, now_ns + HOUR, device.clock.now(), BOOT)
    now = Situation(device.clock.now(), BOOT, False, Hours(True))
    assert hold(order, Life(), Terms("light", ""), now) is None
    other = Situation(device.clock.now(), "another", False, Hours(True))
    found = hold(order, Life(), Terms("light", ""), other)
    assert found is not None
    assert found.hold == "clock"


def frames(traffic: Traffic, count: int) -> None:
    nothing: Any = SimpleNamespace(effects=())
    for _ in range(count):
        traffic.watch(nothing)


def test_cameras_that_are_slow_are_noticed_however_seldom_anybody_asks() -> None:
    clock = TurnedClock()
    traffic = Traffic(clock)
    a_moment = 0.05
    """By which a thread wakes too late."""
    for _ in range(20):
        traffic.slow_since_ns(heavy=False)
        frames(traffic, 50)
        clock.turn(5 + a_moment)
    assert traffic.slow_since_ns(heavy=False) is None
    frames(traffic, 5)
    clock.turn(5 + a_moment)
    since_ns = traffic.slow_since_ns(heavy=False)
    frames(traffic, 5)
    clock.turn(5 + a_moment)
    assert since_ns is not None
    assert traffic.slow_since_ns(heavy=False) == since_ns


def test_heavy_work_waits_until_the_usual_frame_rate_is_known() -> None:
    clock = TurnedClock()
    traffic = Traffic(clock)
    assert traffic.slow_since_ns(heavy=False) is None
    assert not traffic.rate_known
    clock.turn(5)
    traffic.slow_since_ns(heavy=False)
    assert traffic.rate_known
    assert traffic.car_mono_ns == TurnedClock().now().mono_ns
