"""Pictures of plate and vehicle, cut from the very frame that was read and kept small."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from platefleet.agent.passes.types import Box
from platefleet.models.detections import Frame
from platefleet.protocol.clock import Instant

PLATE_MARGIN, VEHICLE_MARGIN = 0.15, 0.03
"""Of a box's larger side, around it: a person wants to see the plate's edge."""
LONGEST_PX = 1280
"""A cut's longer side; a vehicle at a barrier is told apart with far less."""
QUALITY_STEP = 15
LEAST_QUALITY = 30
SHRINK = 0.75
LEAST_PX = 8


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Parts of one frame, not yet encoded. captured: that frame's time; boxes: in that frame's pixels."""

    captured: Instant
    plate: Frame | None
    vehicle: Frame | None
    plate_box: Box | None
    vehicle_box: Box | None


def cut(frame: Frame, captured: Instant, plate_box: Box | None, vehicle_box: Box | None) -> Cut:
    """Return copies of what the boxes show; a box outside the frame or without a pixel gives nothing."""
    plate = None if plate_box is None else part(frame, plate_box, PLATE_MARGIN)
    vehicle = None if vehicle_box is None else part(frame, vehicle_box, VEHICLE_MARGIN)
    return Cut(captured, plate, vehicle, plate_box, vehicle_box)


def part(frame: Frame, box: Box, margin: float) -> Frame | None:
    """Return a copy of what a box, widened by `margin` of its larger side, shows; at most `LONGEST_PX` long."""
    height, width = frame.shape[:2]
    around = max(box[2] - box[0], box[3] - box[1], 0.0) * margin
    x1, y1 = max(0, int(box[0] - around)), max(0, int(box[1] - around))
    x2, y2 = min(width, round(box[2] + around)), min(height, round(box[3] + around))
    if x2 <= x1 or y2 <= y1:
        return None
    piece = frame[y1:y2, x1:x2]
    scale = LONGEST_PX / max(piece.shape[:2])
    return piece.copy() if scale >= 1 else _smaller(piece, scale)


def jpeg(picture: Frame, quality: int, most_bytes: int) -> bytes | None:
    """Return a picture as JPEG of at most `most_bytes`: less quality first, then fewer pixels; None if none fits."""
    piece = picture
    while min(piece.shape[:2]) >= min(LEAST_PX, *picture.shape[:2]) and piece.size:
        for attempt in range(quality, min(quality, LEAST_QUALITY) - 1, -QUALITY_STEP):
            done, data = cv2.imencode(".jpg", piece, [cv2.IMWRITE_JPEG_QUALITY, attempt])
            if done and len(data) <= most_bytes:
                return data.tobytes()
        if max(piece.shape[:2]) <= LEAST_PX:
            return None
        piece = _smaller(piece, SHRINK)
    return None


def _smaller(piece: Frame, scale: float) -> Frame:
    size = max(1, int(piece.shape[1] * scale)), max(1, int(piece.shape[0] * scale))
    return np.asarray(cv2.resize(piece, size, interpolation=cv2.INTER_AREA), np.uint8)
