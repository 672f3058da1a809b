"""From what the pipeline saw to what the pass machine is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from platefleet.agent.passes.types import Box, Effect, Look, PlateSeen, Point, Portrait, Revise, VehicleSeen
from platefleet.models.detections import Region
from platefleet.models.reading import Sighting
from platefleet.protocol.clock import Instant


def look_of(sighting: Sighting, classes: Sequence[str], at: Instant, size: tuple[int, int]) -> Look:
    """Return one frame as the pass machine sees it.

    classes: names of the vehicle model's classes. at: when the frame was captured. size: its width and height.
    """
    found = sighting.vehicles
    vehicles = tuple(
        VehicleSeen(box_of(box), classes[int(number)] if int(number) < len(classes) else "", float(confidence))
        for box, confidence, number in zip(found.boxes, found.confidences, found.classes, strict=True)
    )
    plates = tuple(
        PlateSeen(box_of(plate.box), box_of(plate.detected), plate.confidence, plate.reading, plate.vehicle)
        for plate in sighting.plates
    )
    return Look(at, *size, vehicles, plates, dict(sighting.ms))


def box_of(box: NDArray[np.float32]) -> Box:
    """Return a box of an array as plain numbers."""
    x1, y1, x2, y2 = (float(value) for value in box)
    return x1, y1, x2, y2


def region_of(polygon: Sequence[Point], width: int, height: int) -> Region | None:
    """Return the rectangle around a polygon in fractions, in pixels; None for an empty one, which is the whole picture.

    >>> region_of([(0.25, 0.5), (0.75, 0.5), (0.5, 1.0)], 640, 480)
    Region(x1=160, y1=240, x2=480, y2=480)
    """
    if not polygon:
        return None
    xs, ys = [x for x, _ in polygon], [y for _, y in polygon]
    return Region(floor(min(xs) * width), floor(min(ys) * height), ceil(max(xs) * width), ceil(max(ys) * height))


def resized(look: Look, size: tuple[int, int]) -> Look:
    """Return a look as it would be in a picture of another size: a camera may change it while a car stands."""
    scale = size[0] / look.width, size[1] / look.height
    vehicles = tuple(replace(seen, box=scaled(seen.box, scale)) for seen in look.vehicles)
    plates = tuple(
        replace(seen, box=scaled(seen.box, scale), detected=scaled(seen.detected, scale)) for seen in look.plates
    )
    return Look(look.at, *size, vehicles, plates, look.ms)


def scaled(box: Box, scale: tuple[float, float]) -> Box:
    """Return a box stretched from the picture's origin."""
    return box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1]


def effect_scaled(effect: Effect, scale: tuple[float, float]) -> Effect:
    """Return an effect with its boxes in the pixels of a picture of another size."""
    if scale == (1.0, 1.0) or not isinstance(effect, Revise | Portrait):
        return effect
    plate = None if effect.plate_box is None else scaled(effect.plate_box, scale)
    vehicle = None if effect.vehicle_box is None else scaled(effect.vehicle_box, scale)
    return replace(effect, plate_box=plate, vehicle_box=vehicle)
