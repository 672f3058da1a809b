"""When heavy work may run: span by span as a clock on the wall shows it, in every zone, whatever the clocks do."""

from __future__ import annotations

import zlib
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from platefleet.protocol.errors import ConfigError
from platefleet.protocol.messages import Window
from platefleet.protocol.messages.desired import WEEKDAYS, Span
from platefleet.protocol.windows import hours_at, next_opening
from tests.naive_windows import YEARS, looked_at, zones

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, *, fold: int = 0) -> int:
    """Return the moment at which a clock in Berlin shows this."""
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()) * 10**9


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()) * 10**9


def nights(*spans: str, **more: object) -> Window:
    pairs = [span.split("-") for span in spans]
    return Window(
        zone="Europe/Berlin",
        spans=tuple(Span(start=start, end=end) for start, end in pairs),
        **more,  # type: ignore[arg-type]
    )


def test_the_arithmetic_agrees_with_a_walk_through_the_minutes_in_every_zone() -> None:
    wrong = []
    for zone in zones():
        year = YEARS[zlib.crc32(zone.encode()) % len(YEARS)]
        wrong += looked_at(zone, [year], seed=6, windows=1, most_changes=1)
    assert wrong == []


@pytest.mark.parametrize(
    ("span", "day", "opens", "ends"),
    [  # clocks go from 02:00 to 03:00 on 2027-03-28 (01:00 UTC), and from 03:00 to 02:00 on 2026-10-25 (01:00 UTC)
        ("22:00-05:00", "2027-03-27", "2027-03-27 21:00", "2027-03-28 03:00"),
        ("01:00-02:30", "2027-03-28", "2027-03-28 00:00", "2027-03-28 01:00"),
        ("02:30-04:00", "2027-03-28", "2027-03-28 01:00", "2027-03-28 02:00"),
        ("03:00-04:00", "2027-03-28", "2027-03-28 01:00", "2027-03-28 02:00"),
        ("22:00-05:00", "2026-10-24", "2026-10-24 20:00", "2026-10-25 04:00"),
        ("01:00-02:30", "2026-10-25", "2026-10-24 23:00", "2026-10-25 00:30"),
        ("02:30-03:30", "2026-10-25", "2026-10-25 00:30", "2026-10-25 02:30"),
        ("03:00-04:00", "2026-10-25", "2026-10-25 02:00", "2026-10-25 03:00"),
        ("00:00-00:00", "2026-10-25", "2026-10-24 22:00", "2026-10-25 23:00"),
    ],
)
def test_a_span_over_a_change_of_the_clocks(span: str, day: str, opens: str, ends: str) -> None:
    others = {(date.fromisoformat(day) + timedelta(days=away)).isoformat() for away in range(-5, 6) if away}
    window = nights(span, days_off=tuple(sorted(others)))
    begins_ns, ends_ns = utc(opens), utc(ends)
    assert next_opening(window, begins_ns - 1) == begins_ns
    assert not hours_at(window, begins_ns - 1).open
    assert hours_at(window, begins_ns).open
    assert hours_at(window, begins_ns).ends_ns == ends_ns
    assert hours_at(window, ends_ns - 1).open
    assert not hours_at(window, ends_ns).open


def test_a_span_that_a_change_of_the_clocks_swallows_does_not_open_that_day() -> None:
    assert next_opening(nights("02:10-02:50"), at("2027-03-27 12:00")) == at("2027-03-29 02:10")


def test_spans_that_touch_are_one_and_the_person_is_told_its_end() -> None:
    hours = hours_at(nights("22:00-01:00", "01:00-03:00", "02:00-04:30"), at("2026-11-20 23:00"))
    assert hours.ends_ns == at("2026-11-21 04:30")
    assert hours.says == "the window is open until Sat 21 Nov 04:30 CET"


def test_a_day_off_takes_what_begins_on_it_and_not_what_began_before() -> None:
    window = nights("22:00-05:00", days_off=("2026-11-20",))
    assert hours_at(window, at("2026-11-20 04:00")).open
    assert not hours_at(window, at("2026-11-20 23:00")).open
    assert hours_at(window, at("2026-11-20 23:00")).opens_ns == at("2026-11-21 22:00")


def test_weekdays_are_those_on_which_a_span_begins() -> None:
    window = Window(zone="Europe/Berlin", spans=(Span(days=("sat",), start="22:00", end="05:00"),))
    assert hours_at(window, at("2026-11-22 04:00")).open  # Sunday
    assert hours_at(window, at("2026-11-22 05:00")).opens_ns == at("2026-11-28 22:00")


def test_months_of_days_off_end_and_the_next_opening_is_found_beyond_them() -> None:
    first = date(2026, 11, 20)
    off = tuple((first + timedelta(days=number)).isoformat() for number in range(366))
    assert next_opening(nights("22:00-05:00", days_off=off), at("2026-11-20 12:00")) == at("2027-11-21 22:00")


def test_days_off_on_every_monday_of_seven_years_do_not_hide_the_next_one() -> None:
    first = date(2026, 11, 23)
    off = tuple((first + timedelta(weeks=number)).isoformat() for number in range(366))
    window = Window(zone="Europe/Berlin", spans=(Span(days=("mon",), start="22:00", end="23:00"),), days_off=off)
    opens = first + timedelta(weeks=366)
    assert next_opening(window, at("2026-11-20 12:00")) == at(f"{opens} 22:00")


@pytest.mark.parametrize("window", [Window(), Window(zone="Asia/Kolkata", days_off=("2026-11-20",))])
def test_a_window_without_spans_never_opens_and_says_so(window: Window) -> None:
    hours = hours_at(window, at("2026-11-20 12:00"))
    assert (hours.open, hours.opens_ns) == (False, None)
    assert hours.says == "the window never opens; give it hours with set-window"


def test_a_window_of_all_hours_is_always_open() -> None:
    window = nights("00:00-00:00")
    assert all(hours_at(window, at("2026-10-24 00:00") + minute * 60 * 10**9).open for minute in range(0, 4320, 7))


def test_a_closed_window_tells_when_it_ended_so_that_its_grace_can_be_reckoned() -> None:
    hours = hours_at(nights("22:00-05:00"), at("2026-11-20 05:10"))
    assert (hours.open, hours.ends_ns) == (False, at("2026-11-20 05:00"))


def test_a_zone_that_this_machine_has_not_got_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="Mars/Olympus"):
        hours_at(Window(zone="Mars/Olympus", spans=(Span(start="22:00", end="05:00"),)), 0)


def test_every_weekday_has_a_name_here() -> None:
    assert WEEKDAYS[date(2026, 11, 23).weekday()] == "mon"
