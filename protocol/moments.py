"""Moments as text for a person: UTC, to the second."""

from __future__ import annotations

from datetime import datetime, timezone

from platefleet.protocol.clock import SECOND_NS

DAY_NS = 86_400 * SECOND_NS


def utc_text(utc_ns: int) -> str:
    """Return a moment of the wire in ISO 8601.

    >>> utc_text(1_795_000_000_123_456_789)
    '2026-11-18T11:06:40Z'
    """
    return datetime.fromtimestamp(utc_ns // SECOND_NS, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
