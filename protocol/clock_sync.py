"""Is this machine's clock good enough to judge times by? The kernel knows; a person may vouch instead."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Literal

from platefleet.protocol.clock import Instant
from platefleet.protocol.messages import Stamp

ClockState = Literal["synced", "assumed", "unsynced"]
BUILT_UTC_NS = 1_790_000_000 * 10**9
"""September 2026: this program was not written before, so a clock that says so is behind."""
_TIME_ERROR = 5
"""What `adjtimex` returns for a clock that nothing keeps in step (source: adjtimex(2))."""
_TIMEX_BYTES = 1024
"""More than `struct timex` has anywhere (208 bytes on 64-bit Linux); all zero means: change nothing, only tell."""


def kernel_synchronised() -> bool:
    """Return whether the kernel says that its clock is kept in step (NTP, PTP, GNSS). False where it cannot be asked.

    Containers and CI usually say no, truthfully or not.
    """
    try:
        answer = _libc().adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return False
    return 0 <= int(answer) != _TIME_ERROR


@lru_cache(maxsize=1)
def _libc() -> ctypes.CDLL:
    """Return what is loaded anyway; to ask for it takes longer than to ask the kernel."""
    return ctypes.CDLL(None)


def clock_state(now: Instant, *, assume_synced: bool) -> ClockState:
    """Return what is known of the clock that gave `now`. assume_synced: a person vouches for it in the configuration.

    >>> clock_state(Instant(utc_ns=0, mono_ns=0), assume_synced=True)
    'unsynced'
    """
    if now.utc_ns < BUILT_UTC_NS:
        return "unsynced"
    if kernel_synchronised():
        return "synced"
    return "assumed" if assume_synced else "unsynced"


def stamped(now: Instant, boot: str, state: ClockState) -> Stamp:
    """Return `now` as the wire has it."""
    return Stamp(utc_ns=max(0, now.utc_ns), mono_ns=now.mono_ns, boot=boot, clock=state)
