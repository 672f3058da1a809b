"""Points in time as people read them."""

from __future__ import annotations

import datetime as dt
import zoneinfo

from platefleet.protocol.clock import SECOND_NS


def local_time(ns: int) -> str:
    """Return nanoseconds since 1970 as this machine's clock on the wall shows them, to the millisecond, with the zone.

    >>> dt.datetime.fromisoformat(local_time(1_790_000_000_123_456_789)).timestamp()
    1790000000.123
    """
    when = dt.datetime.fromtimestamp(ns // SECOND_NS, dt.timezone.utc).astimezone()
    return when.replace(microsecond=ns % SECOND_NS // 1_000_000 * 1000).isoformat(timespec="milliseconds")


def today(ns: int, zone: str) -> dt.date:
    """Return the day that nanoseconds since 1970 are in an IANA zone; empty: this machine's.

    >>> today(1_790_000_000_000_000_000, "Pacific/Auckland")
    datetime.date(2026, 9, 22)
    """
    moment = dt.datetime.fromtimestamp(ns // SECOND_NS, dt.timezone.utc)
    return moment.astimezone(zoneinfo.ZoneInfo(zone) if zone else None).date()


def in_utc(ns: int) -> str:
    """Return nanoseconds since 1970 as a date and a time to the minute.

    >>> in_utc(1_790_000_000_000_000_000)
    '2026-09-21 14:13 UTC'
    """
    return dt.datetime.fromtimestamp(ns // SECOND_NS, dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
