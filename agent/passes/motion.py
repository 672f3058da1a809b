"""How a box moves: its speed, whether it rests, how far it came closer. Pure functions on boxes and moments."""

from __future__ import annotations

from math import log

from platefleet.agent.passes import geometry
from platefleet.agent.passes.types import Box, Point
from platefleet.protocol.clock import SECOND_NS, Instant

MOVED, GREW = 0.12, 0.1
"""A track has moved once it is this many of its own widths away from where it began, or this much larger or smaller
(log): several times a detector's jitter."""
PARKED_MOVED, PARKED_GREW = 0.25, 0.2
"""What stood there from the start has moved only if it is further away."""
RESTS_WITHIN, RESTS_S = 0.15, 1.0
"""A box that stays so near, in its own widths, for so long is a vehicle that stands. Judged by where it is and not by
its speed: a detector's jitter of one pixel between two frames looks like ten pixels a second."""

Seen = tuple[Box, Instant]


def speed(before: Point, last: Seen, now: Seen) -> Point:
    """Return pixels per second, half of it from this step, so that one jittering box does not send a track away."""
    seconds = (now[1].mono_ns - last[1].mono_ns) / SECOND_NS
    if seconds <= 0:
        return before
    (ax, ay), (bx, by) = geometry.centre(last[0]), geometry.centre(now[0])
    return (before[0] + (bx - ax) / seconds) / 2, (before[1] + (by - ay) / seconds) / 2


def rests(anchor: Box, now: Box) -> bool:
    """Whether a box is still where it was anchored, and as large."""
    grew = abs(log(geometry.width(now) / geometry.width(anchor)))
    return geometry.apart(anchor, now) <= RESTS_WITHIN and grew <= RESTS_WITHIN


def progress(began: Box, now: Box, approach: Point) -> float:
    """Return how far a box came closer since it began: along the lane in its widths, and by how much it grew (log)."""
    (ax, ay), (bx, by) = geometry.centre(began), geometry.centre(now)
    along = ((bx - ax) * approach[0] + (by - ay) * approach[1]) / max(geometry.width(began), geometry.width(now))
    return along + 2 * log(geometry.width(now) / geometry.width(began))


def has_moved(began: Box, now: Box, *, found: bool) -> bool:
    """Whether a box went somewhere, or came closer or further, more than a detector's jitter."""
    far, grew = (PARKED_MOVED, PARKED_GREW) if found else (MOVED, GREW)
    return geometry.apart(began, now) > far or abs(log(geometry.width(now) / geometry.width(began))) > grew
