"""Why a command may not begin, or not go on: what it needs against how things are. Each answer is told to a person."""

from __future__ import annotations

from dataclasses import dataclass

from platefleet.protocol.clock import SECOND_NS, Instant
from platefleet.protocol.commands.lifecycle import Life
from platefleet.protocol.commands.order import Order, Terms
from platefleet.protocol.messages.command import Waiting

NO_CLOCK = "the clock is not synchronised (NTP, or clock.assume_synced)"
COOL_BY_C = 5.0
"""So far below its limit the temperature has to be before heavy work begins."""
FRAME_SHARE = 0.8
"""Of its usual frame rate a barrier keeps while heavy work runs, or the work makes room."""
SLOW_NS = 10 * SECOND_NS
"""So long the rate has to have been below that."""
PAUSED_NS = 120 * SECOND_NS
"""So long heavy work is paused for cars before it makes room altogether."""


@dataclass(frozen=True, slots=True)
class Hours:
    """What the window says now. open: whether heavy work may run; ends_ns: until then, opens_ns: from then on, UTC.

    None: nobody knows, or never.
    """

    open: bool
    ends_ns: int | None = None
    opens_ns: int | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Situation:
    """How things are on the device now.

    quiet_s, grace_s: as the window has them. car_mono_ns: when a vehicle was last seen in any lane; None: none since
    the agent began. slow_since_ns: since when the frame rate has been below `FRAME_SHARE` of the usual, by monotonic
    time. paused_ns: how long the running heavy work has been paused in this stretch. rate_known: whether the usual
    frame rate is, without which nobody could say that heavy work slows the barrier.
    """

    now: Instant
    boot: str
    clock_good: bool
    hours: Hours
    quiet_s: int = 300
    grace_s: int = 300
    car_mono_ns: int | None = None
    free_memory_bytes: int = 1 << 62
    temperature_c: float | None = None
    temperature_limit_c: float = 85.0
    slow_since_ns: int | None = None
    paused_ns: int = 0
    rate_known: bool = True


def hold(order: Order, life: Life, terms: Terms, now: Situation) -> Waiting | None:
    """Return what a command waits for that might begin otherwise; None: nothing."""
    utc_ns = now.now.utc_ns
    if not now.clock_good and (order.lives_ns is not None or order.boot != now.boot):
        return Waiting(hold="clock", says=f"{NO_CLOCK}, so nobody can say whether it is too late")
    if order.not_before_ns is not None:
        if not now.clock_good:
            return Waiting(hold="clock", says=f"{NO_CLOCK}, and it may not begin before its time")
        if utc_ns < order.not_before_ns:
            return Waiting(hold="not_before", says="it was asked for a later time", until_ns=order.not_before_ns)
    retry = life.why
    if retry is not None and retry.hold == "retry" and retry.until_ns is not None and utc_ns < retry.until_ns:
        return retry
    return _heavy(terms, now) if terms.in_window else _memory(terms, now)


def holding_back(terms: Terms, now: Situation) -> Waiting | None:  # noqa: PLR0911 - one for each reason
    """Return what running heavy work has to make room for; None: nothing."""
    if not terms.in_window:
        return None
    mono_ns, utc_ns = now.now.mono_ns, now.now.utc_ns
    if now.temperature_c is not None and now.temperature_c > now.temperature_limit_c:
        return _hot(now)
    if now.slow_since_ns is not None and mono_ns - now.slow_since_ns > SLOW_NS:
        return Waiting(hold="barrier", says="the cameras fell far below their usual frame rate")
    if terms.anyhow:
        return None
    if now.paused_ns > PAUSED_NS:
        return _traffic(now) or Waiting(hold="traffic", says="cars kept coming")
    if not now.hours.open and (now.hours.ends_ns is None or utc_ns > now.hours.ends_ns + now.grace_s * SECOND_NS):
        return _window(now)
    return None


def paused(terms: Terms, now: Situation) -> bool:
    """Whether running heavy work stands still for the car that is there."""
    if not terms.in_window or terms.anyhow or now.car_mono_ns is None:
        return False
    return now.now.mono_ns - now.car_mono_ns < min(now.quiet_s, 15) * SECOND_NS


def _heavy(terms: Terms, now: Situation) -> Waiting | None:
    if not terms.anyhow and not now.hours.open:
        return _window(now)
    if now.temperature_c is not None and now.temperature_c > now.temperature_limit_c - COOL_BY_C:
        return _hot(now)
    lack = _memory(terms, now)
    if lack is not None:
        return lack
    if now.slow_since_ns is not None and now.now.mono_ns - now.slow_since_ns > SLOW_NS:
        return Waiting(hold="barrier", says="the cameras are far below their usual frame rate")
    if not now.rate_known:
        return Waiting(hold="barrier", says="the cameras' usual frame rate is not known yet")
    return None if terms.anyhow else _traffic(now)


def _window(now: Situation) -> Waiting:
    return Waiting(hold="window", says=now.hours.says or "outside the window", until_ns=now.hours.opens_ns)


def _hot(now: Situation) -> Waiting:
    limit = now.temperature_limit_c - COOL_BY_C
    return Waiting(
        hold="temperature", says=f"the machine has {now.temperature_c:.0f} °C; it has to cool below {limit:.0f} °C"
    )


def _memory(terms: Terms, now: Situation) -> Waiting | None:
    if now.free_memory_bytes >= terms.memory_bytes:
        return None
    free, wanted = now.free_memory_bytes / 1e9, terms.memory_bytes / 1e9
    return Waiting(hold="memory", says=f"{free:.1f} of the {wanted:.1f} GB that it needs are free")


def _traffic(now: Situation) -> Waiting | None:
    if now.car_mono_ns is None:
        return None
    past_ns = now.now.mono_ns - now.car_mono_ns
    left_ns = now.quiet_s * SECOND_NS - past_ns
    if left_ns <= 0:
        return None
    says = f"the last car was there {past_ns // SECOND_NS} s ago; it takes {now.quiet_s} s without one"
    return Waiting(hold="traffic", says=says, until_ns=now.now.utc_ns + left_ns)
