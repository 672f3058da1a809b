"""What was seen, drawn into the picture and written as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from platefleet.models.detections import Boxes, Frame
from platefleet.models.reading import Sighting

VEHICLE_COLOUR = (200, 160, 60)
PLATE_COLOUR = (60, 220, 60)
UNREAD_COLOUR = (60, 160, 255)


def annotated(frame: Frame, sighting: Sighting, classes: tuple[str, ...] = ()) -> Frame:
    """Return a copy of the frame with a box for each vehicle and each plate, and what it reads above it.

    classes: the vehicle model's names; without them vehicles have no caption.
    """
    picture: Frame = frame.copy()
    thick = max(1, round(min(frame.shape[:2]) / 400))
    for box, number in zip(sighting.vehicles.boxes, sighting.vehicles.classes, strict=True):
        _box(picture, box, VEHICLE_COLOUR, thick)
        if number < len(classes):
            _caption(picture, box, classes[number], VEHICLE_COLOUR, thick)
    for plate in sighting.plates:
        colour = PLATE_COLOUR if plate.reading.characters else UNREAD_COLOUR
        outline = np.round(plate.corners).astype(np.int32)
        cv2.polylines(picture, [outline], isClosed=True, color=colour, thickness=thick, lineType=cv2.LINE_AA)
        _caption(picture, plate.box, plate.reading.text or "?", colour, thick)
    return picture


def boxed(frame: Frame, boxes: Boxes, captions: Sequence[str], colour: tuple[int, int, int]) -> Frame:
    """Return a copy of the frame with each of the (n, 4) boxes and its caption, where that is not empty."""
    picture: Frame = frame.copy()
    thick = max(1, round(min(frame.shape[:2]) / 400))
    for box, caption in zip(boxes, captions, strict=True):
        _box(picture, box, colour, thick)
        if caption:
            _caption(picture, box, caption, colour, thick)
    return picture


def as_json(sighting: Sighting, file: str, frame: int, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return a sighting as `platefleet read --json` prints it; classes: the vehicle model's names."""
    vehicles = sighting.vehicles
    return {
        "file": file,
        "frame": frame,
        "vehicles": [
            {"box": _pixels(box), "class": classes[int(number)], "confidence": round(float(confidence), 4)}
            for box, number, confidence in zip(vehicles.boxes, vehicles.classes, vehicles.confidences, strict=True)
        ],
        "plates": [
            {
                "box": _pixels(plate.box),
                "confidence": round(plate.confidence, 4),
                "text": plate.reading.text,
                "text_confidence": round(plate.reading.mean, 4),
                "characters": [
                    {"text": c.text, "confidence": round(c.confidence, 4)} for c in plate.reading.characters
                ],
                "vehicle": plate.vehicle,
            }
            for plate in sighting.plates
        ],
        "ms": {stage: round(ms, 2) for stage, ms in sighting.ms.items()},
    }


def _pixels(box: NDArray[np.float32]) -> list[float]:
    return [round(float(side), 1) for side in box]


def _box(picture: Frame, box: NDArray[np.float32], colour: tuple[int, int, int], thick: int) -> None:
    x1, y1, x2, y2 = (round(float(side)) for side in box)
    cv2.rectangle(picture, (x1, y1), (x2, y2), colour, thick)


def _caption(picture: Frame, box: NDArray[np.float32], text: str, colour: tuple[int, int, int], thick: int) -> None:
    """Write `text` on a filled ground above a box, or in it where there is no room above."""
    scale = 0.5 * max(1.0, min(picture.shape[:2]) / 500)
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    left = min(max(0, round(float(box[0]))), max(0, picture.shape[1] - width))
    base = (
        round(float(box[1])) - below if float(box[1]) >= height + 2 * below else round(float(box[1])) + height + below
    )
    cv2.rectangle(picture, (left, base - height - below), (left + width, base + below), colour, cv2.FILLED)
    cv2.putText(picture, text, (left, base), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), thick, cv2.LINE_AA)
