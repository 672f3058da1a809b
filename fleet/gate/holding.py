"""A lane that is held open, by a person or by the site's schedule: one lane's next state. Pure.

A hold by hand is bound to the boot that it was made in: after a power cut the lane is as if nobody had held it. A
schedule needs a good clock. A person may release a lane before its schedule does; that lasts until the schedule's end.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

HOLD = "gate: hold "
LONGEST_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Hold:
    """by: who holds; `released`: a person ended what the schedule still wants. until_mono_ns: of `boot`, by hand."""

    by: Literal["hand", "schedule", "released"]
    reason: str
    boot: str
    until_mono_ns: int = 0

    @property
    def open(self) -> bool:
        """Whether the lane is held open."""
        return self.by != "released"


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of some weekdays (0 is Monday). end before begin: on the next day."""

    weekdays: frozenset[int]
    begin: dt.time
    end: dt.time

    def contain(self, day: dt.date, time: dt.time) -> bool:
        """Return whether the hours of that day, or those of the evening before it, contain `time`.

        >>> night = Hours(frozenset({4}), dt.time(22), dt.time(6))  # Friday night
        >>> [night.contain(dt.date(2026, 11, day), dt.time(3)) for day in (27, 28)]
        [False, True]
        """
        today, yesterday = day.weekday() in self.weekdays, (day.weekday() - 1) % 7 in self.weekdays
        if self.begin < self.end:
            return today and self.begin <= time < self.end
        return (today and time >= self.begin) or (yesterday and time < self.end)


def scheduled(hours: Iterable[Hours], day: dt.date | None, time: dt.time | None) -> str:
    """Return why the schedule holds the lane open now, or nothing."""
    if day is None or time is None:
        return ""
    found = next((each for each in hours if each.contain(day, time)), None)
    return f"held open by the schedule from {found.begin:%H:%M} to {found.end:%H:%M}" if found else ""


def now_held(hold: Hold | None, schedule: str, boot: str, mono_ns: int) -> Hold | None:
    """Return what holds the lane now. schedule: why the schedule does, empty if it does not."""
    if hold is not None and hold.by == "hand" and hold.boot == boot and mono_ns < hold.until_mono_ns:
        return hold
    if not schedule:
        return None
    return hold if hold is not None and hold.by == "released" else Hold("schedule", schedule, boot)


def by_hand(reason: str, boot: str, until_mono_ns: int) -> Hold:
    """Return the hold of a person, whatever held the lane before."""
    return Hold("hand", reason, boot, until_mono_ns)


def released(schedule: str, reason: str, boot: str) -> Hold | None:
    """Return what is left when a person releases the lane, or its hold could not be carried out."""
    return Hold("released", reason, boot) if schedule else None


def encoded(hold: Hold | None) -> bytes | None:
    """Return the hold as its note."""
    return None if hold is None else json.dumps(asdict(hold)).encode("ascii")


def decoded(note: bytes) -> Hold | None:
    """Return the hold of a note; one that means nothing holds nothing."""
    try:
        match json.loads(note):
            case {
                "by": "hand" | "schedule" | "released" as by,
                "reason": str(reason),
                "boot": str(boot),
                "until_mono_ns": int(until_mono_ns),
            }:
                return Hold(by, reason, boot, until_mono_ns)
    except ValueError:
        pass
    return None
