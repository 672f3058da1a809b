"""Windows against a naive reference, minute by minute: `python -m tests.naive_windows` for all zones, 2020-2035.

The reference knows no arithmetic: it walks through the minutes of some days and asks what a clock on the wall shows. A
span opens with the first minute at which its day's clock shows its start or later, and ends likewise.
"""

from __future__ import annotations

import argparse
import random
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import accumulate
from zoneinfo import ZoneInfo, available_timezones

from platefleet.protocol.messages import Window
from platefleet.protocol.messages.desired import WEEKDAYS, Span
from platefleet.protocol.windows import hours_at, next_opening

YEARS = range(2020, 2036)
MINUTE = 60
NS = 10**9
EPOCH = datetime.fromisoformat("1970-01-01")
BLOCK = 60
BEFORE, AFTER = 3 * 1440, 2 * 1440
"""Minutes of the walk before and after the moment that is looked at."""


def zones() -> list[str]:
    """Return every zone that this machine has and a window can name."""
    return sorted(name for name in available_timezones() if name not in {"localtime", "Factory"})


def changes(zone: ZoneInfo, year: int) -> Iterator[int]:
    """Yield the first UTC second after each change of the clocks in a year."""
    begins = int(datetime(year, 1, 1, tzinfo=timezone.utc).timestamp())
    for day in range(begins, begins + 366 * 86_400, 86_400):
        low, high = day, day + 86_400
        before = _offset(zone, low)
        if _offset(zone, high) == before:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
        yield high


def _offset(zone: ZoneInfo, at_s: int) -> timedelta | None:
    return datetime.fromtimestamp(at_s, zone).utcoffset()


def _shown(zone: ZoneInfo, at_s: int) -> int:
    offset = _offset(zone, at_s)
    assert offset is not None
    return at_s // MINUTE + offset // timedelta(minutes=1)


def _wall(minutes: int) -> datetime:
    return EPOCH + timedelta(minutes=minutes)


@dataclass(frozen=True)
class Walk:
    """Some days of a zone. walls: what the clock on the wall shows at each minute from `begins_s`, as minutes."""

    zone: str
    begins_s: int
    walls: list[int]
    reached: list[int]
    """The latest that it has shown until then."""

    @classmethod
    def around(cls, zone: str, at_s: int) -> Walk:
        at_s -= at_s % MINUTE
        named, begins_s = ZoneInfo(zone), at_s - BEFORE * MINUTE
        walls: list[int] = []
        for block in range(0, BEFORE + AFTER, BLOCK):
            first, after = (_shown(named, begins_s + (block + minute) * MINUTE) for minute in (0, BLOCK))
            if after - first == BLOCK:
                walls += range(first, after)
            else:
                walls += [_shown(named, begins_s + (block + minute) * MINUTE) for minute in range(BLOCK)]
        return cls(zone, begins_s, walls, list(accumulate(walls, max)))

    def open(self, window: Window) -> list[bool]:
        """Return for each minute whether the window is open."""
        found = [False] * len(self.walls)
        day = _wall(self.walls[0]).date() - timedelta(days=2)
        while day <= _wall(self.walls[-1]).date():
            for span in window.spans:
                if day.isoformat() in window.days_off or WEEKDAYS[day.weekday()] not in span.days:
                    continue
                opens = self._first(datetime.fromisoformat(f"{day} {span.start}"))
                until = day if span.end > span.start else day + timedelta(days=1)
                for minute in range(opens, self._first(datetime.fromisoformat(f"{until} {span.end}"))):
                    found[minute] = True
            day += timedelta(days=1)
        return found

    def _first(self, wall: datetime) -> int:
        return bisect_left(self.reached, (wall - EPOCH) // timedelta(minutes=1))

    def ns(self, minute: int) -> int:
        return (self.begins_s + minute * MINUTE) * NS


def a_window(rng: random.Random, walk: Walk) -> Window:
    """Return a window with edges near the middle of the walk, where the clocks may change."""
    middle = _wall(walk.walls[BEFORE])

    def some_time() -> str:
        near = middle + timedelta(minutes=rng.choice([-121, -90, -60, -31, -30, -1, 0, 1, 15, 30, 60, 61, 120, 600]))
        return rng.choice([near.strftime("%H:%M"), f"{rng.randrange(24):02}:{rng.randrange(60):02}", "00:00"])

    spans = tuple(
        Span(
            days=tuple(rng.sample(WEEKDAYS, rng.randint(3, 7))) if rng.random() < 0.4 else WEEKDAYS,
            start=some_time(),
            end=some_time(),
        )
        for _ in range(rng.randint(1, 4))
    )
    off = [(middle + timedelta(days=rng.randint(-2, 2))).date().isoformat() for _ in range(rng.choice([0, 0, 1, 2]))]
    return Window(zone=walk.zone, spans=spans, days_off=tuple(off))


def disagreements(walk: Walk, window: Window, rng: random.Random) -> Iterator[str]:
    """Yield a sentence for each minute at which the arithmetic and the walk differ."""
    known = walk.open(window)
    first, last = 2 * 1440, len(known) - 1  # spans of days before the walk are not in it
    edges = [minute for minute in range(first, last) if known[minute] != known[minute - 1]]
    looked = {*edges, *(edge - 1 for edge in edges), *(rng.randrange(first, last) for _ in range(2))}
    for minute in sorted(looked):
        now_ns = walk.ns(minute) + rng.randrange(MINUTE * NS)
        hours = hours_at(window, now_ns)
        where = f"{walk.zone} {_wall(walk.walls[minute])} ({walk.ns(minute)}) {window}"
        if hours.open != known[minute]:
            yield f"{where}: open is {hours.open}"
        if hours.open:
            shuts = next((at for at in range(minute, last) if not known[at]), None)
            if shuts is not None and hours.ends_ns != walk.ns(shuts):
                yield f"{where}: ends at {hours.ends_ns}, not {walk.ns(shuts)}"
            continue
        opens = next((at for at in range(minute, last) if known[at]), None)
        if opens is not None and hours.opens_ns != walk.ns(opens):
            yield f"{where}: opens at {hours.opens_ns}, not {walk.ns(opens)}"
        if hours.opens_ns is not None and (hours.opens_ns <= now_ns or not hours_at(window, hours.opens_ns).open):
            yield f"{where}: opens at {hours.opens_ns}, which is before or not open"
        if next_opening(window, now_ns) != hours.opens_ns:
            yield f"{where}: next opening differs"


def looked_at(zone: str, years: list[int], seed: int, windows: int, most_changes: int) -> list[str]:
    """Return disagreements around changes of the clocks in these years, or around a day where there is none."""
    rng = random.Random(seed ^ zlib.crc32(zone.encode()))
    moments = [at for year in years for at in changes(ZoneInfo(zone), year)]
    moments = rng.sample(moments, min(len(moments), most_changes))
    moments = moments or [int(datetime(years[0], 6, 1, tzinfo=timezone.utc).timestamp()) + rng.randrange(86_400)]
    found = []
    for at_s in moments:
        walk = Walk.around(zone, at_s)
        for _ in range(windows):
            found += disagreements(walk, a_window(rng, walk), rng)
    return found


def main() -> int:
    """Print disagreements; return 1 if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    every = [line for zone in zones() for line in looked_at(zone, [*YEARS], options.seed, options.windows, 1000)]
    print("\n".join([*every[:20], f"{len(zones())} zones, seed {options.seed}: {len(every)} disagreements"]))
    return 1 if every else 0


if __name__ == "__main__":
    raise SystemExit(main())
