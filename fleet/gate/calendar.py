"""Which day it is for the gate, if its clock can be believed."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable

from platefleet.fleet.gate.facts import Moment
from platefleet.protocol.clock import SECOND_NS, Instant
from platefleet.protocol.clock_sync import ClockState, stamped

BEHIND_NS = 60 * SECOND_NS
"""A clock that is stepped by less is being corrected; further back than it once was, it is behind."""


class Calendar:
    """Turns instants into moments. newest_utc_ns: the latest time that a good clock gave, earlier starts included."""

    def __init__(self, zone: str, boot: str, state: Callable[[Instant], ClockState], newest_utc_ns: int = 0) -> None:
        """zone: IANA name. boot: the kernel's id of this boot. state: what is known of the clock now."""
        self._zone = zoneinfo.ZoneInfo(zone)
        self._boot = boot
        self._state = state
        self._newest_utc_ns = newest_utc_ns
        self.problem = ""

    def moment(self, now: Instant, held: str = "") -> Moment:
        """Return `now` with its day and time, None while the clock is not good; `problem` then says why."""
        state = self._state(now)
        behind_ns = self._newest_utc_ns - now.utc_ns
        if state == "unsynced":
            self.problem = (
                "the clock is not synchronised: entries with dates are refused; set up NTP, or assume_synced where "
                "something else keeps the time"
            )
        elif behind_ns > BEHIND_NS:
            state = "unsynced"
            self.problem = f"the clock is {behind_ns // SECOND_NS} s behind what it was: entries with dates are refused"
        else:
            self.problem = ""
            self._newest_utc_ns = max(self._newest_utc_ns, now.utc_ns)
        local = None
        if state != "unsynced":
            utc = dt.datetime.fromtimestamp(now.utc_ns // SECOND_NS, dt.timezone.utc)
            local = utc.astimezone(self._zone)
        day, time = (None, None) if local is None else (local.date(), local.time())
        return Moment(now.mono_ns, stamped(now, self._boot, state), day, held, time)
