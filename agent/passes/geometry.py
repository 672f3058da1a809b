"""Boxes, points and the lane's polygon: pure functions on pixels."""

from __future__ import annotations

from math import hypot

from platefleet.agent.passes.types import Box, Point


def centre(box: Box) -> Point:
    """Return the middle of a box.

    >>> centre((0, 0, 4, 2))
    (2.0, 1.0)
    """
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def width(box: Box) -> float:
    """Return a box's width in pixels, at least 1 so that it can divide."""
    return max(1.0, box[2] - box[0])


def height(box: Box) -> float:
    """Return a box's height in pixels, at least 1."""
    return max(1.0, box[3] - box[1])


def holds(box: Box, point: Point) -> bool:
    """Whether a point lies in a box, its edges included."""
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def overlap(a: Box, b: Box) -> float:
    """Return intersection over union.

    >>> overlap((0, 0, 2, 2), (1, 0, 3, 2))
    0.3333333333333333
    """
    common = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return common / (width(a) * height(a) + width(b) * height(b) - common)


def apart(a: Box, b: Box) -> float:
    """Return the distance of two boxes' centres in widths of the wider one."""
    (ax, ay), (bx, by) = centre(a), centre(b)
    return hypot(ax - bx, ay - by) / max(width(a), width(b))


def moved(box: Box, by: Point) -> Box:
    """Return a box shifted by a vector."""
    return box[0] + by[0], box[1] + by[1], box[2] + by[0], box[3] + by[1]


def clearance(box: Box, frame_width: int, frame_height: int) -> float:
    """Return how far a box is from the frame's nearest edge, in pixels; what touches it may be cut off.

    >>> clearance((5, 20, 30, 40), 100, 100)
    5
    """
    return min(box[0], box[1], frame_width - box[2], frame_height - box[3])


def inside(polygon: tuple[Point, ...], point: Point) -> bool:
    """Whether a point lies in a polygon (even-odd rule); an empty polygon is everywhere.

    >>> inside(((0, 0), (1, 0), (0, 1)), (0.2, 0.2)), inside(((0, 0), (1, 0), (0, 1)), (0.8, 0.8))
    (True, False)
    """
    if not polygon:
        return True
    within = False
    x, y = point
    for (ax, ay), (bx, by) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            within = not within
    return within
