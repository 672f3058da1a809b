"""Points in time as people read them."""

from __future__ import annotations

import datetime as dt

from platefleet.protocol.clock import SECOND_NS


def in_utc(ns: int) -> str:
    """Return nanoseconds since 1970 as a date and a time to the minute.

    >>> in_utc(1_790_000_000_000_000_000)
    '2026-09-21 14:13 UTC'
    """
    return dt.datetime.fromtimestamp(ns // SECOND_NS, dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
