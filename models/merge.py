"""Geometry of the two stages: which vehicles count, where to look for plates, and whose plate is whose. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from platefleet.models.boxes import area, intersection, iou
from platefleet.models.detections import Boxes, Detections, Frame, Region
from platefleet.models.letterbox import within

VEHICLE_CLASSES = ("car", "motorcycle", "bus", "truck")
"""COCO's names of what carries a plate."""
SAME_VEHICLE = 0.7
"""Overlap (IoU) from which two boxes are one vehicle, called a car here and a truck there."""
SAME_PLATE = 0.5
"""Share of the smaller box in the larger from which two boxes are one plate: plates stand apart from each other."""
LEAST_VEHICLE_PX = 48
"""Width of a vehicle below which its plate, a quarter of it, has not one pixel and a half for each character."""
FEW = 8
"""Boxes up to which a look at each pair costs less than arrays of all pairs do."""
MOST_VEHICLES = 8
"""Vehicles looked into, largest first; more would take longer than the look at the whole frame that sees them all."""


def vehicle_numbers(classes: Sequence[str]) -> list[int]:
    """Return the numbers of a model's classes that are vehicles; all, if it knows none of `VEHICLE_CLASSES`.

    >>> vehicle_numbers(("person", "car")), vehicle_numbers(("van",))
    ([1], [0])
    """
    wanted = [number for number, name in enumerate(classes) if name in VEHICLE_CLASSES]
    return wanted or list(range(len(classes)))


def vehicles_of(found: Detections, classes: tuple[str, ...]) -> Detections:
    """Return the vehicles among a model's detections, each once, best first.

    classes: the model's names. A model that knows none of `VEHICLE_CLASSES` was trained for vehicles alone: all count.
    """
    wanted = _vehicle_numbers(classes)
    if len(found) <= FEW:
        confidences, numbers = found.confidences.tolist(), found.classes.tolist()
        some = sorted(range(len(found)), key=lambda i: -confidences[i])
        some = [i for i in some if numbers[i] in wanted]
        found = found if some == list(range(len(found))) else found.where(np.array(some, np.intp))
    else:
        order = np.argsort(-found.confidences, kind="stable")
        found = found.where(order[np.isin(found.classes[order], list(wanted))])
    if not _may_meet(found.boxes):
        return found
    return found.where(_first_of_each(iou(found.boxes, found.boxes) > SAME_VEHICLE))


def plates_of(parts: Iterable[Detections]) -> Detections:
    """Return the plates found in several regions, each once, best first."""
    found = Detections.concatenate(list(parts))
    order = np.argsort(-found.confidences, kind="stable")
    boxes = found.boxes[order]
    if not _may_meet(boxes):
        return found.where(order)
    areas = area(boxes)
    smaller = np.minimum(areas[:, None], areas[None, :])
    overlap = intersection(boxes, boxes) > SAME_PLATE * np.maximum(smaller, np.float32(1e-6))
    return found.where(order[_first_of_each(overlap)])


@lru_cache(maxsize=16)
def _vehicle_numbers(classes: tuple[str, ...]) -> frozenset[int]:
    return frozenset(vehicle_numbers(classes))


def _may_meet(boxes: Boxes) -> bool:
    """Whether any two of the boxes overlap; not looked at, and so true, where they are many.

    >>> _may_meet(np.float32([[0, 0, 9, 9], [9, 0, 20, 9]])), _may_meet(np.float32([[0, 0, 9, 9], [8, 8, 20, 20]]))
    (False, True)
    """
    if len(boxes) > FEW:
        return True
    rows = boxes.tolist()
    return any(
        a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for i, a in enumerate(rows) for b in rows[:i]
    )


def _first_of_each(same: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return which of n things stay, best first, where `same` (n, n) says which are one."""
    kept: list[int] = []
    for i, row in enumerate(same.tolist()):
        if not any(row[k] for k in kept):
            kept.append(i)
    return np.array(kept, np.intp)


def regions_of(vehicles: Detections, frame: Frame, lane: Region) -> list[Region]:
    """Return where to look for plates: the vehicles that reach into `lane` and are large enough, largest first."""
    regions = []
    for x1, y1, x2, y2 in sorted(vehicles.boxes.tolist(), key=_minus_area):
        region = within(Region(math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2)), frame)
        across = min(region.x2, lane.x2) > max(region.x1, lane.x1)
        down = min(region.y2, lane.y2) > max(region.y1, lane.y1)
        if across and down and all(region.shape) and region.shape[1] >= LEAST_VEHICLE_PX:
            regions.append(region)
    return regions[:MOST_VEHICLES]


def _minus_area(box: Sequence[float]) -> float:
    return -max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def in_region(found: Detections, region: Region) -> Detections:
    """Return the detections whose centre lies in `region`."""
    x, y = (found.boxes[:, 0] + found.boxes[:, 2]) / 2, (found.boxes[:, 1] + found.boxes[:, 3]) / 2
    return found.where((x >= region.x1) & (x < region.x2) & (y >= region.y1) & (y < region.y2))


def vehicle_of(plate: Boxes, vehicles: Boxes) -> int | None:
    """Return the vehicle that carries a plate: the smallest whose box holds its centre, or None.

    plate: (4,); vehicles: (n, 4).

    >>> vehicle_of(np.float32([4, 4, 6, 6]), np.float32([[0, 0, 99, 99], [0, 0, 9, 9], [20, 0, 29, 9]]))
    1
    """
    x, y = float(plate[0] + plate[2]) / 2, float(plate[1] + plate[3]) / 2
    holds = (vehicles[:, 0] <= x) & (x <= vehicles[:, 2]) & (vehicles[:, 1] <= y) & (y <= vehicles[:, 3])
    if not holds.any():
        return None
    return int(np.where(holds, area(vehicles), np.inf).argmin())
