"""What may go now, in which order: pictures first, of every device, then what is asked about least. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from platefleet.fleet.retention.settings import Retention

DAY_NS = 86_400 * 10**9
ORDER = (
    ("crops", "crops_days"),
    ("status", "statuses_days"),
    ("plate", "plates_days"),
    ("decision", "decisions_days"),
)
"""Type of record and its setting. Openings of epochs are not among them: gaps are told by them."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Records of one type and device that the store got before a moment."""

    device: str
    type: str
    before_utc_ns: int


def plan(retention: Retention, devices: Iterable[str], now_utc_ns: int) -> tuple[Cut, ...]:
    """Return what may go at `now_utc_ns`, in order."""
    known = sorted(devices)
    cuts = []
    for kind, setting in ORDER:
        for device in known:
            days = getattr(retention.of(device), setting)
            if days is not None:
                cuts.append(Cut(device, kind, now_utc_ns - int(days * DAY_NS)))
    return tuple(cuts)
