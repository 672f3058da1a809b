"""When heavy work may run: arithmetic over spans of local hours in an IANA zone. Pure; moments are UTC nanoseconds.

A span begins at its wall time on its day and ends at its wall time; where the clocks go forward over its beginning it
begins at the first moment after the gap, and where they go back its wall times are the first ones (PEP 495, fold 0).

>>> window = Window(zone="Europe/Berlin", spans=(Span(start="22:00", end="05:00"),))
>>> hours_at(window, 1_795_000_000 * 10**9).open  # 2026-11-18 12:06 in Berlin
False
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from platefleet.protocol.commands.holds import Hours
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.messages.desired import WEEKDAYS, Span, Window

SECOND_NS = 1_000_000_000
WEEK = 11
"""Days over which spans that touch are followed: two back, and more than a week ahead."""
SPARE_DAYS = 30
"""As far beyond all its days off as a window's next opening is looked for: weeks, where a clock change eats a span."""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """One time that a window is open, UTC nanoseconds, the end not included."""

    opens_ns: int
    ends_ns: int


def zone_of(window: Window) -> ZoneInfo:
    """Return the window's zone. Raises ConfigError for one that this machine's database has not got."""
    try:
        return ZoneInfo(window.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"window.zone: {window.zone[:64]!r} is not in this machine's time zones; a name such as Europe/Berlin "
            "would be right"
        ) from error


def hours_at(window: Window, now_ns: int) -> Hours:
    """Return what the window says at a moment."""
    zone = zone_of(window)
    first = _day(now_ns, zone) - timedelta(days=2)
    last: Stretch | None = None
    for stretch in merged(window, zone, first, days=4):
        if stretch.opens_ns <= now_ns < stretch.ends_ns:
            ends_ns = next(each for each in merged(window, zone, first, days=WEEK) if each.ends_ns > now_ns).ends_ns
            return Hours(True, ends_ns=ends_ns, says=f"the window is open until {_said(ends_ns, zone)}")
        if stretch.ends_ns <= now_ns:
            last = stretch
    ended_ns = None if last is None else last.ends_ns
    opens_ns = next_opening(window, now_ns)
    if opens_ns is None:
        return Hours(False, ended_ns, None, "the window never opens; give it hours with set-window")
    return Hours(False, ended_ns, opens_ns, f"the window opens at {_said(opens_ns, zone)}")


def next_opening(window: Window, now_ns: int) -> int | None:
    """Return when the window opens next, after `now_ns`; None: never."""
    if not window.spans:
        return None
    zone = zone_of(window)
    first = _day(now_ns, zone) - timedelta(days=2)
    for stretch in _open(window, zone, first, 7 * len(window.days_off) + SPARE_DAYS):  # a span may be of one weekday
        if stretch.opens_ns > now_ns:
            return stretch.opens_ns
    return None


def merged(window: Window, zone: ZoneInfo, first: date, days: int) -> list[Stretch]:
    """Return when it is open by spans that begin on `days` days from `first`, in order, none touching another."""
    found: list[Stretch] = []
    for stretch in sorted(_open(window, zone, first, days)):
        if found and stretch.opens_ns <= found[-1].ends_ns:
            found[-1] = Stretch(found[-1].opens_ns, max(found[-1].ends_ns, stretch.ends_ns))
        else:
            found.append(stretch)
    return found


def _open(window: Window, zone: ZoneInfo, first: date, days: int) -> Iterator[Stretch]:
    off = set(window.days_off)
    for number in range(days):
        day = first + timedelta(days=number)
        if day.isoformat() in off:
            continue
        today = [
            stretch
            for span in window.spans
            if WEEKDAYS[day.weekday()] in span.days
            for stretch in [_stretch(span, day, zone)]
            if stretch.opens_ns < stretch.ends_ns
        ]
        yield from sorted(today)


def _stretch(span: Span, day: date, zone: ZoneInfo) -> Stretch:
    start, end = time.fromisoformat(span.start), time.fromisoformat(span.end)
    until = day if end > start else day + timedelta(days=1)
    return Stretch(_moment(day, start, zone), _moment(until, end, zone))


def _moment(day: date, at: time, zone: ZoneInfo) -> int:
    """Return a wall time's moment; in a gap, the moment the gap begins, which is where its end is too."""
    wall = datetime.combine(day, at, tzinfo=zone)
    moment = wall.astimezone(timezone.utc)
    back = moment.astimezone(zone)
    if back.replace(tzinfo=None) != wall.replace(tzinfo=None):  # no such wall time: the clocks go forward over it
        before = wall.replace(fold=1).astimezone(timezone.utc)
        moment = _gap(before, moment, zone)
    return int((moment - _EPOCH).total_seconds()) * SECOND_NS


def _gap(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Return the first moment after a gap in wall time between two moments; offsets change on whole seconds."""
    low, high = min(low, high), max(low, high)
    offset = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if middle in {low, high}:
            break
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


def _day(now_ns: int, zone: ZoneInfo) -> date:
    return _local(now_ns, zone).date()


def _local(ns: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(seconds=ns // SECOND_NS)).astimezone(zone)


def _said(ns: int, zone: ZoneInfo) -> str:
    return _local(ns, zone).strftime("%a %d %b %H:%M %Z")
