"""How things are on the device, for the desk: hours, traffic, memory, heat, frame rate, clock."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psutil

from platefleet.agent.lane import Worked
from platefleet.models.board import temperature_c
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.commands.holds import FRAME_SHARE, Hours, Situation
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.messages import Window
from platefleet.protocol.windows import hours_at

USUAL_NS = 60 * SECOND_NS
"""The usual frame rate is the mean of this long before heavy work began."""
SHORT_NS = 5 * SECOND_NS
"""The present one is the mean of this long, or since it was last asked about if that is longer."""
MARK_NS = SECOND_NS // 2
"""Frames are counted at most so often."""
ASKED_NS = 2 * SECOND_NS
"""How often the machine is asked for memory and heat."""


class Traffic:
    """When a pass was last told of, and how many frames go through. `watch` is an observer of every lane.

    A car that waits is told of every two seconds; what is parked is no pass, and keeps no engine from being built.
    """

    def __init__(self, clock: Clock, share: float = FRAME_SHARE) -> None:
        """share: of the usual frame rate, below which it is slow."""
        self._clock, self._lock, self._share = clock, threading.Lock(), share
        self._car_ns = clock.now().mono_ns  # nobody knows what was there before
        self._count = 0
        self._marks: list[tuple[int, int]] = []
        self._usual: float | None = None
        self._slow_since_ns: int | None = None

    def watch(self, worked: Worked) -> None:
        """Take note of a picture that was worked through."""
        with self._lock:
            self._count += 1
            if worked.effects:
                self._car_ns = self._clock.now().mono_ns

    @property
    def car_mono_ns(self) -> int:
        """When a car was last in any lane, or when this began."""
        with self._lock:
            return self._car_ns

    def slow_since_ns(self, *, heavy: bool) -> int | None:
        """Return since when the frame rate has been below the share of the usual. heavy: whether heavy work runs.

        The usual rate is learnt while none does. To be asked about every second while heavy work runs or waits.
        """
        now_ns = self._clock.now().mono_ns
        with self._lock:
            if not self._marks or now_ns - self._marks[-1][0] >= MARK_NS:
                self._marks.append((now_ns, self._count))
            self._marks = [mark for mark in self._marks if now_ns - mark[0] <= USUAL_NS]
            if not heavy:
                long = self._rate(USUAL_NS)
                self._usual = long if long is not None else self._usual
            short = self._rate(SHORT_NS)
            if self._usual is None or short is None or short >= self._share * self._usual:
                self._slow_since_ns = None
            elif self._slow_since_ns is None:
                self._slow_since_ns = now_ns
            return self._slow_since_ns

    @property
    def rate_known(self) -> bool:
        """Whether the usual frame rate is."""
        with self._lock:
            return self._usual is not None

    def _rate(self, over_ns: int) -> float | None:
        """Return frames a second since the newest mark of this age, or the oldest; None where too little was seen."""
        last_ns, last = self._marks[-1]
        first_ns, first = next((mark for mark in reversed(self._marks) if last_ns - mark[0] >= over_ns), self._marks[0])
        if last_ns - first_ns < min(over_ns, SHORT_NS) // 2 or last_ns == first_ns:
            return None
        return (last - first) * SECOND_NS / (last_ns - first_ns)


class Conditions:
    """Asks everything a `Situation` needs. Belongs to the commands' thread."""

    def __init__(
        self,
        traffic: Traffic,
        *,
        window: Callable[[], Window],
        clock: Clock,
        clock_good: Callable[[], bool],
        boot: str,
        temperature_limit_c: float,
    ) -> None:
        self._traffic, self._window, self._clock = traffic, window, clock
        self._clock_good, self._boot, self._limit_c = clock_good, boot, temperature_limit_c
        self._asked_ns: int | None = None
        self._free = 1 << 62
        self._temperature: float | None = None
        self._paused_since_ns: int | None = None

    def situation(self, standing_still: bool, heavy: bool) -> Situation:
        """Return how things are. standing_still: whether heavy work is paused; heavy: whether any runs."""
        now = self._clock.now()
        if self._asked_ns is None or now.mono_ns - self._asked_ns >= ASKED_NS:
            self._asked_ns = now.mono_ns
            self._free, self._temperature = psutil.virtual_memory().available, temperature_c()
        if not standing_still:
            self._paused_since_ns = None
        elif self._paused_since_ns is None:
            self._paused_since_ns = now.mono_ns
        window, good = self._window(), self._clock_good()
        slow_since_ns = self._traffic.slow_since_ns(heavy=heavy)
        return Situation(
            now=now,
            boot=self._boot,
            clock_good=good,
            hours=_hours(window, now.utc_ns) if good else Hours(False, says="the clock is not synchronised"),
            quiet_s=window.quiet_s,
            grace_s=window.grace_s,
            car_mono_ns=self._traffic.car_mono_ns,
            free_memory_bytes=self._free,
            temperature_c=self._temperature,
            temperature_limit_c=self._limit_c,
            slow_since_ns=slow_since_ns,
            rate_known=self._traffic.rate_known,
            paused_ns=0 if self._paused_since_ns is None else now.mono_ns - self._paused_since_ns,
        )


def _hours(window: Window, now_ns: int) -> Hours:
    """Return what the window says; a zone that this machine has lost since is a window that is shut."""
    try:
        return hours_at(window, now_ns)
    except ConfigError as error:
        return Hours(False, says=str(error)[:400])
