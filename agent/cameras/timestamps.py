"""From a stream's own time to ours: a burst after a stall is old, not new.

A frame cannot arrive before it was taken, so the frame that took least from the camera to us tells best how the two
clocks lie: its difference is kept, and every frame's capture time follows from its timestamp. The difference may creep
up by `DRIFT` of the time gone by, since the camera's clock may run slower than ours.
"""

from __future__ import annotations

from dataclasses import dataclass

DRIFT_PER_MILLION = 200
"""Twice what a crystal of a cheap camera is off (±100 ppm), so that the difference never runs away from us."""


@dataclass(frozen=True, slots=True)
class StreamTime:
    """What is known of a stream's clock: the least difference to ours, and the last frame's two times."""

    offset_ns: int
    position_ns: int
    arrived_ns: int


def caught_up(known: StreamTime | None, position_ns: int | None, arrived_ns: int) -> bool:
    """Whether a just opened stream shows the present: its frames come no faster than they were taken.

    What a decoder or the network collected while the stream was opened comes first, at once; how old it is cannot be
    told before the burst is over, so nothing of it is shown.

    >>> state, _ = place(None, 0, 1_000)
    >>> caught_up(state, 40, 1_001), caught_up(state, 40, 1_041)
    (False, True)
    """
    if position_ns is None:
        return True
    if known is None or position_ns <= known.position_ns:
        return False
    return (arrived_ns - known.arrived_ns) * 2 >= position_ns - known.position_ns


def place(known: StreamTime | None, position_ns: int | None, arrived_ns: int) -> tuple[StreamTime | None, int]:
    """Return what is known now, and when the frame was taken by our monotonic clock (never after `arrived_ns`).

    known: None before the first frame. position_ns: the stream's timestamp, None if it has none: then the arrival is
    all there is. A timestamp that does not rise means that the stream began anew.

    >>> state, taken = place(None, 1_000, 50_000)   # the first frame counts as new
    >>> place(state, 2_000, 60_000)[1]  # took 9,000 longer than the first: it is that old, but for the drift
    51002
    """
    if position_ns is None:
        return None, arrived_ns
    if known is None or position_ns <= known.position_ns:
        return StreamTime(arrived_ns - position_ns, position_ns, arrived_ns), arrived_ns
    crept_ns = max(0, arrived_ns - known.arrived_ns) * DRIFT_PER_MILLION // 1_000_000
    offset_ns = min(arrived_ns - position_ns, known.offset_ns + crept_ns)
    return StreamTime(offset_ns, position_ns, arrived_ns), position_ns + offset_ns
