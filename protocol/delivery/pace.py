"""How many backfill messages may be without the broker's PUBACK, and how large: paced by the link, without a clock.

One more while PUBACK takes less than its least + 200 ms, half above its least + 300 ms (DESIGN.md, "Records"; the
idea is that of delay-based congestion control: time above the least is time spent in queues, ours or the link's).
What is in flight stands before a fresh plate, so messages are small until the link has shown that it is fast.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from platefleet.protocol.clock import MILLISECOND_NS

GROW_BELOW_NS = 200 * MILLISECOND_NS
HALVE_ABOVE_NS = 300 * MILLISECOND_NS
SMALL_BYTES = 16 * 1024
"""65 ms at 2 Mbit/s: a plate that comes while one is on its way waits no longer, and headers are 1 % of it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`window`: messages in flight, 1 to `most`. least_ns: the shortest PUBACK of this connection, None before one.

    batch_bytes: of a message, SMALL_BYTES to `batch_most_bytes`; it grows where the window cannot any more.
    """

    most: int
    window: int = 1
    least_ns: int | None = None
    batch_most_bytes: int = 64 * 1024
    batch_bytes: int = SMALL_BYTES


def acknowledged(pace: Pace, took_ns: int) -> Pace:
    """Return the pace after a PUBACK that took `took_ns`.

    >>> acknowledged(Pace(most=16), 5_000_000).window
    2
    >>> acknowledged(Pace(most=16, window=8, least_ns=5_000_000), 400_000_000).window
    4
    >>> acknowledged(Pace(most=16, window=16), 5_000_000).batch_bytes
    32768
    """
    pace = answered(pace, took_ns)
    least_ns = pace.least_ns or 0
    if took_ns < least_ns + GROW_BELOW_NS:
        if pace.window < pace.most:
            return replace(pace, window=pace.window + 1)
        return replace(pace, batch_bytes=min(pace.batch_bytes * 2, pace.batch_most_bytes))
    if took_ns > least_ns + HALVE_ABOVE_NS:
        return replace(
            pace,
            window=max(pace.window // 2, 1),
            batch_bytes=max(pace.batch_bytes // 2, min(SMALL_BYTES, pace.batch_most_bytes)),
        )
    return pace


def answered(pace: Pace, took_ns: int) -> Pace:
    """Return the pace after the PUBACK of something else than backfill: it may be the shortest.

    >>> answered(Pace(most=16), 5_000_000)
    Pace(most=16, window=1, least_ns=5000000, batch_most_bytes=65536, batch_bytes=16384)
    """
    return replace(pace, least_ns=took_ns if pace.least_ns is None else min(pace.least_ns, took_ns))
