"""A lane held open by hand or by schedule: recorded, not moved for each, and shut again whatever happens."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.fleet.gate import holding
from platefleet.fleet.gate.circumstances import HoldRule
from platefleet.fleet.gate.holding import Hold, Hours, by_hand, decoded, encoded, now_held, released, scheduled
from platefleet.fleet.gate.running import seconds
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.errors import GateError
from tests.gate_builders import BOOT, RULE
from tests.gate_lives import Life, a_life, recorded

OTHER_BOOT = "22222222-2222-2222-2222-222222222222"
ALWAYS = Hours(frozenset(range(7)), dt.time(0), dt.time(23, 59, 59, 999999))
HOLDS = st.builds(
    Hold,
    st.sampled_from(["hand", "schedule", "released"]),
    st.sampled_from(["", 'by hand by root: Müller "van"']),
    st.sampled_from([BOOT, OTHER_BOOT]),
    st.integers(0, 2**62),
)
NO_ANSWER = lambda _: None  # noqa: E731


@pytest.fixture
def outbox() -> MemoryOutbox:
    return MemoryOutbox(clock=SystemClock())


@given(HOLDS)
def test_a_hold_comes_back_from_its_note(hold: Hold) -> None:
    note = encoded(hold)
    assert note is not None
    assert decoded(note) == hold


@given(st.binary(max_size=60))
def test_a_note_that_means_nothing_holds_nothing(note: bytes) -> None:
    assert decoded(note) is None


@given(st.none() | HOLDS, st.sampled_from(["", "by the schedule"]), st.integers(0, 2**62))
def test_nothing_is_held_without_a_schedule_or_a_person_of_this_boot_whose_time_is_not_over(
    hold: Hold | None, schedule: str, mono_ns: int
) -> None:
    held = now_held(hold, schedule, BOOT, mono_ns)
    person = hold is not None and hold.by == "hand" and hold.boot == BOOT and mono_ns < hold.until_mono_ns
    let_go = hold is not None and hold.by == "released"
    assert (held is not None and held.open) == (person or (bool(schedule) and not let_go))
    assert now_held(held, schedule, BOOT, mono_ns) == held


@given(st.none() | HOLDS, st.integers(0, 2**62))
def test_what_a_person_released_stays_so_until_the_schedule_ends_and_no_longer(hold: Hold | None, now: int) -> None:
    let_go = released("by the schedule", "by hand by root", BOOT)
    still = now_held(let_go, "by the schedule", BOOT, now)
    assert still is not None
    assert not still.open
    assert now_held(still, "", BOOT, now) is None
    assert released("", "by hand by root", BOOT) is None


@given(st.dates(), st.times(), st.sets(st.integers(0, 6)), st.times(), st.times())
def test_hours_over_midnight_belong_to_the_day_on_which_they_begin(
    day: dt.date, time: dt.time, weekdays: set[int], begin: dt.time, end: dt.time
) -> None:
    inside = Hours(frozenset(weekdays), begin, end).contain(day, time)
    if begin < end:
        assert inside == (day.weekday() in weekdays and begin <= time < end)
    elif end <= time < begin:
        assert not inside


def test_a_schedule_holds_nothing_while_the_clock_is_not_good() -> None:
    assert scheduled([ALWAYS], dt.date(2026, 11, 25), dt.time(12))
    assert scheduled([ALWAYS], None, None) == ""


def verdicts(life: Life) -> list[tuple[str, str]]:
    return [(decision.phase, decision.verdict) for decision in life.said]


def test_while_a_lane_is_held_open_passes_are_recorded_and_nothing_moves(tmp_path: Path, outbox: MemoryOutbox) -> None:
    with a_life(tmp_path / "gate.journal", outbox) as life:
        life.core.hold(RULE.key, "by hand by root: removal van", 600, life.said.append)
        life.said.clear()
        life.announce()
        life.announce(text="STRANGER", number=1)
        life.announce(text="", unread="illegible", characters=(), number=2)
        life.announce(direction="receding", number=3)
        assert life.pulses == []
        assert verdicts(life) == [("refusal", "held open")] * 3 + [("refusal", "wrong direction")]
        assert "removal van" in life.said[0].reason
        assert "no line has this plate" in life.said[1].reason
        assert "removal van" in life.core.open_lanes()[0]
        life.core.release(RULE.key, "by hand by root", NO_ANSWER)
        life.announce()
        assert len(life.pulses) == 1
    assert ("refusal", "released") in [(d.phase, d.verdict) for d in recorded(outbox)]


def test_a_hold_lasts_across_a_restart_and_not_beyond_its_time(tmp_path: Path, outbox: MemoryOutbox) -> None:
    path = tmp_path / "gate.journal"
    with a_life(path, outbox) as life:
        life.core.hold(RULE.key, "by hand by root: removal van", 600, NO_ANSWER)
    with a_life(path, outbox) as life:
        life.core.tick()
        assert life.core.open_lanes()
    outbox.keep({f"{holding.HOLD}north-1/entry": encoded(by_hand("removal van", BOOT, 2**62))})  # of another boot
    with a_life(path, outbox) as life:
        life.core.tick()
        assert life.core.open_lanes() == []
        assert verdicts(life) == [("refusal", "released")]


def test_the_outputs_that_hold_and_release_are_moved_once_with_intent_and_result(
    tmp_path: Path, outbox: MemoryOutbox
) -> None:
    holds = {RULE.key: HoldRule(hold="holder", release="releaser")}
    with a_life(tmp_path / "gate.journal", outbox, holds=holds) as life:
        life.core.hold(RULE.key, "by hand by root: removal van", 600, life.said.append)
        for _ in range(3):
            life.core.tick()
        assert [pulse.rule.output for pulse in life.pulses] == ["holder"]
        life.answer()
        life.core.release(RULE.key, "by hand by root", NO_ANSWER)
        assert [pulse.rule.output for pulse in life.pulses] == ["releaser"]
        life.answer()
    assert [(d.phase, d.verdict, d.output) for d in recorded(outbox)] == [
        ("intent", "held open", "holder"),
        ("result", "held open", "holder"),
        ("intent", "released", "releaser"),
        ("result", "released", "releaser"),
    ]


def test_an_output_that_failed_to_hold_leaves_vehicles_to_be_let_in_one_by_one_and_calls_a_person(
    tmp_path: Path, outbox: MemoryOutbox
) -> None:
    holds = {RULE.key: HoldRule((ALWAYS,), hold="holder")}
    with a_life(tmp_path / "gate.journal", outbox, holds=holds) as life:
        life.core.tick()
        life.answer("failed", "output holder: no answer")
        assert [alarm.kind for alarm in life.alarms] == ["output failed"]
        life.core.tick()
        life.announce()
        assert [pulse.rule.output for pulse in life.pulses] == ["barrier"]


def test_a_schedule_holds_the_lane_and_a_person_may_release_it_before(tmp_path: Path, outbox: MemoryOutbox) -> None:
    with a_life(tmp_path / "gate.journal", outbox, holds={RULE.key: HoldRule((ALWAYS,))}) as life:
        life.core.tick()
        assert "by the schedule from 00:00" in life.core.open_lanes()[0]
        life.core.release(RULE.key, "by hand by root", NO_ANSWER)
        life.core.tick()
        assert life.core.open_lanes() == []


@pytest.mark.parametrize("written", ["", "10", "m", "-1m", "0m", "1d", "1.5h", "9999999h", "²m"])
def test_a_time_that_cannot_be_read_is_refused_with_what_would_be_right(written: str) -> None:
    with pytest.raises(GateError, match="10m or 2h would be right"):
        seconds(written)
