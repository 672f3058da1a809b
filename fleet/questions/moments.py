"""Moments as people write and read them. Pure."""

from __future__ import annotations

import datetime as dt
import re

from platefleet.fleet.questions.errors import Unanswerable
from platefleet.protocol.clock import SECOND_NS

_RELATIVE = re.compile(r"^(\d{1,6})\s*([smhdw])$")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


def moment_ns(written: str, now_utc_ns: int, name: str) -> int:
    """Return the moment that a person means, UTC nanoseconds: an ISO time, local unless it names a zone, or `2h` ago.

    Raises Unanswerable that begins with `name`.

    >>> moment_ns("2026-11-25T10:00+01:00", 0, "since") == moment_ns("2026-11-25 09:00Z", 0, "since")
    True
    >>> moment_ns("90m", 10_000 * SECOND_NS, "since") // SECOND_NS
    4600
    """
    ago = _RELATIVE.match(written.strip())
    if ago:
        return max(0, now_utc_ns - int(ago[1]) * _UNITS_S[ago[2]] * SECOND_NS)
    text = written.strip()
    try:
        when = dt.datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in {"Z", "z"} else text)
        return max(0, _ns(when.astimezone(dt.timezone.utc)))
    except (ValueError, OverflowError, OSError) as error:
        raise Unanswerable(
            f"{name}: {written[:40]!a} is no time; 2026-11-25T08:30, 2026-11-25T08:30+01:00 or 2h would be right."
        ) from error


def duration_ns(written: str, name: str) -> int:
    """Return a length of time such as `5m`, in nanoseconds. Raises Unanswerable that begins with `name`.

    >>> duration_ns("5m", "older-than") // SECOND_NS
    300
    """
    found = _RELATIVE.match(written.strip())
    if found is None:
        raise Unanswerable(f"{name}: {written[:40]!a} is no length of time; 30s, 5m, 2h or 1d would be right.")
    return int(found[1]) * _UNITS_S[found[2]] * SECOND_NS


def in_utc(utc_ns: int) -> str:
    """Return a moment for programs: UTC to the microsecond.

    >>> in_utc(1_795_000_000_123_456_789)
    '2026-11-18T11:06:40.123456Z'
    """
    return _utc(utc_ns).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def in_zone(utc_ns: int, zone: dt.tzinfo | None = None) -> str:
    """Return a moment for people, to the second. zone: None for this machine's own.

    >>> in_zone(1_795_000_000_123_456_789, dt.timezone(dt.timedelta(hours=1)))
    '2026-11-18 12:06:40 +0100'
    """
    try:
        return _utc(utc_ns).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %z")
    except (OverflowError, OSError):
        return in_utc(utc_ns)


def span(ns: int) -> str:
    """Return a length of time in the unit that suits it.

    >>> [span(ns) for ns in (0, 2_400_000, 1_234_000_000, 754_000_000_000, -7_000_000, 200_000_000_000_000)]
    ['0 ms', '2.4 ms', '1.23 s', '12 min 34 s', '-7 ms', '2 d 7 h']
    """
    sign, ms = ("-" if ns < 0 else ""), abs(ns) / 1e6
    seconds = ms / 1000
    if ms < 999.5:  # above, three digits would round to a thousand
        return f"{sign}{ms:.3g} ms"
    if seconds < 120:
        return f"{sign}{seconds:.3g} s"
    if seconds < 7200:
        return f"{sign}{int(seconds // 60)} min {int(seconds % 60)} s"
    if seconds < 172_800:
        return f"{sign}{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
    return f"{sign}{int(seconds // 86_400)} d {int(seconds % 86_400 // 3600)} h"


def _utc(utc_ns: int) -> dt.datetime:
    """Return a moment; one beyond the year 9999 is the last one that can be shown."""
    try:
        return _EPOCH + dt.timedelta(microseconds=utc_ns // 1000)
    except OverflowError:
        return dt.datetime.max.replace(tzinfo=dt.timezone.utc)


def _ns(when: dt.datetime) -> int:
    since = when - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000
