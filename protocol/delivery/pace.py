"""How many backfill messages may be without the broker's PUBACK at once: paced by the link, decided without a clock.

One more while PUBACK takes less than its least + 200 ms, half above its least + 300 ms (DESIGN.md, "Records"; the
idea is that of delay-based congestion control: time above the least is time spent in queues, ours or the link's).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from platefleet.protocol.clock import MILLISECOND_NS

GROW_BELOW_NS = 200 * MILLISECOND_NS
HALVE_ABOVE_NS = 300 * MILLISECOND_NS


@dataclass(frozen=True, slots=True)
class Pace:
    """`window`: messages in flight, 1 to `most`. least_ns: the shortest PUBACK of this connection, None before one."""

    most: int
    window: int = 1
    least_ns: int | None = None


def acknowledged(pace: Pace, took_ns: int) -> Pace:
    """Return the pace after a PUBACK that took `took_ns`.

    >>> acknowledged(Pace(most=16), 5_000_000)
    Pace(most=16, window=2, least_ns=5000000)
    >>> acknowledged(Pace(most=16, window=8, least_ns=5_000_000), 400_000_000).window
    4
    """
    least_ns = took_ns if pace.least_ns is None else min(pace.least_ns, took_ns)
    window = pace.window
    if took_ns < least_ns + GROW_BELOW_NS:
        window = min(window + 1, pace.most)
    elif took_ns > least_ns + HALVE_ABOVE_NS:
        window = max(window // 2, 1)
    return replace(pace, window=window, least_ns=least_ns)
