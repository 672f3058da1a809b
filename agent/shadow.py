"""A candidate beside what runs, on one frame: how much of what one finds the other does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from platefleet.agent.serving import Part
from platefleet.models.boxes import iou
from platefleet.models.detections import Boxes, Frame, Region
from platefleet.models.letterbox import within
from platefleet.models.merge import in_region, plates_of, regions_of, vehicles_of
from platefleet.models.ports import Detector, Reader
from platefleet.models.reading import Sighting
from platefleet.models.watch import LEAST_CHARACTERS

SAME = 0.5
"""Intersection over union from which two boxes are one thing."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A frame with what the running models saw in it."""

    frame: Frame
    region: Region | None
    sighting: Sighting


def compare(candidate: Part, shown: Shown) -> tuple[int, int]:
    """Return how many things the running models found, and how many of these the candidate did not. Raises ModelError.

    A text of a plate is a thing found; one that is read otherwise is lost.
    """
    frame, seen = shown.frame, shown.sighting
    lane = within(Region.whole(frame) if shown.region is None else shown.region, frame)
    if candidate.role == "reader":
        legible = [plate for plate in seen.plates if len(plate.reading.text) >= LEAST_CHARACTERS]
        if not legible:
            return 0, 0
        texts = cast(Reader, candidate.model).read(frame, _boxes([plate.detected for plate in legible]))
        same = [text.reading.text == plate.reading.text for text, plate in zip(texts, legible, strict=True)]
        return len(legible), same.count(False)
    detector = cast(Detector, candidate.model)
    if candidate.role == "vehicle":
        found = vehicles_of(detector.detect(frame, [Region.whole(frame)])[0], detector.classes)
        return _lost(seen.vehicles.boxes, found.boxes)
    if not all(lane.shape):
        return 0, 0
    parts = detector.detect(frame, [*regions_of(seen.vehicles, frame, lane), lane])
    return _lost(_boxes([plate.detected for plate in seen.plates]), in_region(plates_of(parts), lane).boxes)


def _boxes(boxes: list[NDArray[np.float32]]) -> Boxes:
    return np.array(boxes, np.float32).reshape(-1, 4)


def _lost(had: Boxes, has: Boxes) -> tuple[int, int]:
    """Return how many boxes there were, and how many of them nothing is the same as.

    >>> _lost(np.float32([[0, 0, 4, 4], [8, 8, 9, 9]]), np.float32([[0, 0, 4, 3]]))
    (2, 1)
    """
    if not len(had) or not len(has):
        return len(had), len(had)
    return len(had), int(np.count_nonzero(iou(had, has).max(axis=1) < SAME))
