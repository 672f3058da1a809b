"""Moments and the port through which time is handed in; only `SystemClock` asks the machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

SECOND_NS = 1_000_000_000
MILLISECOND_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment as this machine's two clocks had it.

    utc_ns: UTC, integer nanoseconds since 1970; jumps when the clock is set.
    mono_ns: nanoseconds since boot, suspended time included; never jumps, means nothing on another machine or boot.
    """

    utc_ns: int
    mono_ns: int


class Clock(Protocol):
    """Where time comes from. Tests hand in one that they turn themselves."""

    @property
    def boot(self) -> str:
        """The boot that the monotonic time counts from."""
        ...

    def now(self) -> Instant:
        """Return this moment by both clocks."""
        ...


class SystemClock:
    """The machine's own clocks: CLOCK_REALTIME and CLOCK_BOOTTIME."""

    @property
    def boot(self) -> str:
        """The kernel's boot."""
        return boot_id()

    def now(self) -> Instant:
        """Return this moment by both clocks."""
        return Instant(time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))


@cache
def boot_id() -> str:
    """Return the kernel's random id of this boot (source: proc(5), random/boot_id); zeros where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "00000000-0000-0000-0000-000000000000"
