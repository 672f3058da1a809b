"""Is the gate alone under its name, and which day is it for it?"""

from __future__ import annotations

import datetime as dt

import pytest

from platefleet.fleet.gate.calendar import Calendar
from platefleet.fleet.gate.identity import QUIET_NS, Identity, heard, held, ours
from platefleet.protocol.clock import SECOND_NS, Instant
from platefleet.protocol.clock_sync import BUILT_UTC_NS, clock_state
from tests.gate_builders import BOOT, DAY, UTC_NS

ME = ours(Identity(), "a" * 32)
HOUR_NS = 3600 * SECOND_NS


@pytest.mark.parametrize("state", ["online", "lost", "stopped"])
def test_what_we_said_ourselves_in_this_life_or_an_earlier_one_holds_nothing(state: str) -> None:
    assert held(heard(ME, "a" * 32, state, 0), 0) == ""


@pytest.mark.parametrize("state", ["online", "lost"])
def test_an_incarnation_that_the_journal_does_not_know_holds_the_barrier(state: str) -> None:
    assert "another machine" in held(heard(ME, "b" * 32, state, 0), 0)


def test_our_own_presence_over_it_proves_nothing() -> None:
    stranger = heard(ME, "b" * 32, "online", 0)
    assert held(heard(stranger, "a" * 32, "online", 1), 2)


def test_a_machine_that_left_in_order_is_gone_at_once_and_one_that_fell_silent_after_a_while() -> None:
    stranger = heard(ME, "b" * 32, "online", 0)
    assert held(heard(stranger, "b" * 32, "stopped", 1), 2) == ""
    assert held(heard(stranger, "c" * 32, "stopped", 1), 2)
    assert held(stranger, QUIET_NS - 1)
    assert held(stranger, QUIET_NS) == ""


def a_calendar(state: str = "synced", newest_utc_ns: int = 0, zone: str = "UTC") -> Calendar:
    return Calendar(zone, BOOT, lambda _: state, newest_utc_ns)  # type: ignore[arg-type, return-value]


def test_the_day_is_that_of_the_gates_zone() -> None:
    night = Instant(UTC_NS + 12 * HOUR_NS - SECOND_NS, 0)
    assert a_calendar().moment(night).day == DAY
    assert a_calendar(zone="Europe/Berlin").moment(night).day == DAY + dt.timedelta(days=1)
    assert a_calendar(zone="America/New_York").moment(night).day == DAY


def test_without_a_good_clock_there_is_no_day_and_it_is_told() -> None:
    calendar = a_calendar("unsynced")
    assert calendar.moment(Instant(UTC_NS, 0)).day is None
    assert "not synchronised" in calendar.problem
    assert "set up NTP, or assume_synced where something else keeps the time" in calendar.problem


def test_a_clock_that_jumps_back_an_hour_is_behind_until_it_is_corrected() -> None:
    calendar = a_calendar("assumed")
    calendar.moment(Instant(UTC_NS, 0))
    back = calendar.moment(Instant(UTC_NS - HOUR_NS, SECOND_NS))
    assert (back.day, back.stamp.clock) == (None, "unsynced")
    assert "3600 s behind" in calendar.problem
    assert calendar.moment(Instant(UTC_NS + SECOND_NS, 2 * SECOND_NS)).day == DAY
    assert calendar.problem == ""


def test_a_clock_behind_what_the_journal_has_seen_is_behind() -> None:
    assert a_calendar(newest_utc_ns=UTC_NS + HOUR_NS).moment(Instant(UTC_NS, 0)).day is None


def test_a_small_step_back_is_a_correction() -> None:
    calendar = a_calendar()
    calendar.moment(Instant(UTC_NS, 0))
    assert calendar.moment(Instant(UTC_NS - 5 * SECOND_NS, 0)).day == DAY


def test_a_clock_before_this_program_was_written_is_wrong_whoever_vouches_for_it() -> None:
    assert clock_state(Instant(BUILT_UTC_NS - 1, 0), assume_synced=True) == "unsynced"
    assert clock_state(Instant(BUILT_UTC_NS, 0), assume_synced=True) in {"assumed", "synced"}
