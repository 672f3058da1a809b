"""Plates drawn with OpenCV's own font: characters of a known height at known places."""

from __future__ import annotations

import cv2
import numpy as np

from platefleet.models.detections import Frame

GROUND, INK, CAR = 235, 25, 70


def line_height(scale: float) -> float:
    """Height in pixels of a capital letter of the font at `scale`, strokes included (21 units and the pen's 3)."""
    return 21 * scale + 3


def a_plate(*lines: str, scale: float = 1.6, turned_by: float = 0.0, ground: int = GROUND, ink: int = INK) -> Frame:
    """A plate of one or more lines on a dark car, in the middle of a picture of 480x300, turned by degrees."""
    picture = np.full((300, 480, 3), CAR, np.uint8)
    tall, step = line_height(scale), line_height(scale) * 1.4
    widths = [cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, scale, 3)[0][0] for line in lines]
    half_w, half_h = max(widths) / 2 + 0.4 * tall, (tall + step * (len(lines) - 1)) / 2 + 0.3 * tall
    low, high = (round(240 - half_w), round(150 - half_h)), (round(240 + half_w), round(150 + half_h))
    cv2.rectangle(picture, low, high, (ground,) * 3, cv2.FILLED)
    for number, (line, width) in enumerate(zip(lines, widths, strict=True)):
        base = 150 + (number - (len(lines) - 1) / 2) * step + tall / 2 - 1.5
        at = (round(240 - width / 2), round(base))
        cv2.putText(picture, line, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (ink,) * 3, 3, cv2.LINE_AA)
    matrix = cv2.getRotationMatrix2D((240, 150), turned_by, 1.0)
    return np.asarray(cv2.warpAffine(picture, matrix, (480, 300), borderValue=(CAR,) * 3), np.uint8)


def a_box(frame: Frame, loose: float = 0.25) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The box a detector would give: around the plate, `loose` of its height too tall above and below."""
    rows, columns = np.nonzero(np.abs(frame[:, :, 0].astype(int) - CAR) > 20)
    tall = rows.max() + 1 - rows.min()
    return np.array(
        [columns.min() - 4, rows.min() - loose * tall, columns.max() + 5, rows.max() + 1 + loose * tall], np.float32
    )
