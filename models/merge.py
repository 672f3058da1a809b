"""Geometry of the two stages: which vehicles count, where to look for plates, and whose plate is whose. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    chosen = found.where(np.isin(found.classes, vehicle_numbers(classes)))
    chosen = chosen.where(np.argsort(-chosen.confidences, kind="stable"))
    overlap = iou(chosen.boxes, chosen.boxes) > SAME_VEHICLE
    return chosen.where(_first_of_each(overlap))


def plates_of(parts: Iterable[Detections]) -> Detections:
    """Return the plates found in several regions, each once, best first."""
    found = Detections.concatenate(list(parts))
    found = found.where(np.argsort(-found.confidences, kind="stable"))
    areas = area(found.boxes)
    smaller = np.minimum(areas[:, None], areas[None, :])
    overlap = intersection(found.boxes, found.boxes) > SAME_PLATE * np.maximum(smaller, np.float32(1e-6))
    return found.where(_first_of_each(overlap))


def _first_of_each(same: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return which of n things stay, best first, where `same` (n, n) says which are one."""
    kept: list[int] = []
    for i in range(len(same)):
        if not any(same[i, k] for k in kept):
            kept.append(i)
    return np.array(kept, np.intp)


def regions_of(vehicles: Detections, frame: Frame, lane: Region) -> list[Region]:
    """Return where to look for plates: the vehicles that reach into `lane` and are large enough, largest first."""
    regions = []
    for index in np.argsort(-area(vehicles.boxes), kind="stable"):
        x1, y1, x2, y2 = (float(v) for v in vehicles.boxes[index])
        region = within(Region(int(np.floor(x1)), int(np.floor(y1)), int(np.ceil(x2)), int(np.ceil(y2))), frame)
        shared = Region(
            max(region.x1, lane.x1), max(region.y1, lane.y1), min(region.x2, lane.x2), min(region.y2, lane.y2)
        )
        if region.shape[1] >= LEAST_VEHICLE_PX and all(region.shape) and all(shared.shape):
            regions.append(region)
    return regions[:MOST_VEHICLES]


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
