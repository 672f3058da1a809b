"""Plates made straight: strips for the reader and corners fitted to the plate. Geometry and sampling, pure functions.

Corners are (4, 2) float32, top-left, top-right, bottom-right, bottom-left, in frame pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from platefleet.models.detections import Frame
from platefleet.models.glyphs import Row

Corners = NDArray[np.float32]

STRIP_HEIGHT = 48
"""Pixels that PP-OCR's recogniser takes (its training height)."""
WIDEST_STRIP = 640
"""Pixels; a plate of twelve wide characters needs about 450."""
CUT = 0.25
"""Share of a detector's box that lies above and below the characters: where no row is found, this is cut off."""
FAR = 0.9
"""Ground above a row, in its height, that a plate may have: US plates, the tallest, have up to (1/0.4 - 1)/2 = 0.75."""
NEAR = 0.15
"""Ground that every plate has above and below: EU plates, the tightest, have (110 - 75)/75/2 = 0.23, less a frame."""
_PER_HEIGHT = 24
"""Samples to a character's height when the plate's edge is looked for."""


def row_corners(row: Row, x1: float, x2: float, above: float, below: float) -> Corners:
    """Return the rectangle along `row` between `x1` and `x2` of its middle.

    above, below: distance of its long sides from the row's middle, in the row's height.

    >>> level = Row(middle=10, slope=0, height=8, x1=2, x2=30, count=4, dark=True)
    >>> row_corners(level, 0, 32, above=0.75, below=0.5).tolist()
    [[0.0, 4.0], [32.0, 4.0], [32.0, 14.0], [0.0, 14.0]]
    """
    along = np.array([1.0, row.slope]) / np.hypot(1.0, row.slope)
    across = np.array([-along[1], along[0]]) * row.height
    left, right = np.array([x1, row.at(x1)]), np.array([x2, row.at(x2)])
    corners = [left - across * above, right - across * above, right + across * below, left + across * below]
    return np.array(corners, np.float32)


def box_corners(box: NDArray[np.float32], cut: float = 0.0) -> Corners:
    """Return the corners of a box (4,) x1 y1 x2 y2, with the share `cut` of its height taken off above and below.

    >>> box_corners(np.float32([0, 0, 8, 4]), cut=0.25).tolist()
    [[0.0, 1.0], [8.0, 1.0], [8.0, 3.0], [0.0, 3.0]]
    """
    x1, y1, x2, y2 = (float(v) for v in box)
    off = (y2 - y1) * cut
    return np.array([[x1, y1 + off], [x2, y1 + off], [x2, y2 - off], [x1, y2 - off]], np.float32)


def bounds(corners: Corners, frame: Frame) -> NDArray[np.float32]:
    """Return the upright box (4,) around corners, clipped to the frame."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    most = np.array([frame.shape[1], frame.shape[0]], np.float32)
    return np.concatenate([np.clip(low, 0, most), np.clip(high, 0, most)]).astype(np.float32)


def transform(corners: Corners, width: int, height: int) -> NDArray[np.float64]:
    """Return the (3, 3) perspective that takes corners to an upright picture of `width` × `height` pixels.

    >>> square = np.float32([[2, 3], [6, 3], [6, 5], [2, 5]])
    >>> np.round(transform(square, 8, 4) @ [4, 4, 1], 6).tolist()
    [4.0, 2.0, 1.0]
    """
    upright = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners, upright), np.float64)


def strip(frame: Frame, corners: Corners, width: int) -> Frame:
    """Sample what lies within corners as an upright strip (STRIP_HEIGHT, width, 3) uint8.

    Beyond the frame its border repeats.
    """
    tall = float(np.linalg.norm(corners[3] - corners[0]))
    if tall > 2 * STRIP_HEIGHT:  # sampling a much larger picture point by point would lose strokes
        return _averaged(frame, corners, width)
    matrix = transform(corners, width, STRIP_HEIGHT)
    method = cv2.INTER_CUBIC if tall < 1.2 * STRIP_HEIGHT else cv2.INTER_LINEAR
    picture = cv2.warpPerspective(frame, matrix, (width, STRIP_HEIGHT), flags=method, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(picture, np.uint8)


def _averaged(frame: Frame, corners: Corners, width: int) -> Frame:
    """Return the strip of corners that are large in the frame, averaged down from a larger one."""
    times = min(int(np.linalg.norm(corners[3] - corners[0])) // STRIP_HEIGHT, 8)
    size = (width * times, STRIP_HEIGHT * times)
    large = cv2.warpPerspective(
        frame, transform(corners, *size), size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cv2.resize(large, (width, STRIP_HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def strip_width(corners: Corners) -> int:
    """Return the width in pixels at which a strip of these corners keeps its proportions, within limits."""
    length, tall = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0])
    return int(np.clip(round(STRIP_HEIGHT * float(length) / max(float(tall), 1e-3)), STRIP_HEIGHT // 2, WIDEST_STRIP))


def plate_corners(frame: Frame, rows: tuple[Row, ...], box: NDArray[np.float32]) -> Corners:
    """Return the plate's corners fitted to its characters; the box's own without rows.

    Above the first row and below the last the plate reaches as far as its ground does (`ground`); left and right it
    is the detector's box, since characters say nothing about what stands beside them (bands, badges).
    """
    if not rows:
        return box_corners(box)
    x1, x2 = float(box[0]), float(box[2])
    above, below = ground(frame, rows[0])[0], ground(frame, rows[-1])[1]
    if above is None and below is None:
        above = below = 0.22  # unseen on both sides: an EU plate's
    above, below = (below if above is None else above), (above if below is None else below)
    top = row_corners(rows[0], x1, x2, above=0.5 + float(above or 0), below=0.5)
    bottom = row_corners(rows[-1], x1, x2, above=0.5, below=0.5 + float(below or 0))
    return np.concatenate([top[:2], bottom[2:]])


def ground(frame: Frame, row: Row) -> tuple[float | None, float | None]:
    """Return how far the plate's ground reaches above and below the characters, in the row's height.

    A line of pixels along the row belongs to the plate while most of it is nearer to the ground than to the ink.
    None: no end within `FAR`, as with a white plate on a white car.
    """
    reach = 0.5 + FAR + 0.1
    corners = row_corners(row, row.x1, row.x2, reach, reach)
    length = float(np.linalg.norm(corners[1] - corners[0]))
    width = int(np.clip(round(length / row.height * _PER_HEIGHT), _PER_HEIGHT, 24 * _PER_HEIGHT))
    tall = round(2 * reach * _PER_HEIGHT)
    gray = cv2.cvtColor(
        cv2.warpPerspective(frame, transform(corners, width, tall), (width, tall), borderMode=cv2.BORDER_REPLICATE),
        cv2.COLOR_BGR2GRAY,
    )
    first, last = (tall - _PER_HEIGHT) // 2, (tall + _PER_HEIGHT) // 2
    level, _ = cv2.threshold(gray[first:last], 0, 255, cv2.THRESH_OTSU)
    ink = (gray[first:last] <= level) == row.dark
    if ink.all() or not ink.any():
        return None, None
    core = gray[first:last].astype(np.float32)
    base, stroke = float(np.median(core[~ink])), float(np.median(core[ink]))
    if abs(stroke - base) < 1:
        return None, None
    foreign = (np.abs(gray.astype(np.float32) - base) > 0.5 * abs(stroke - base)).mean(axis=1) > 0.5
    return _end(foreign[:first][::-1]), _end(foreign[last:])


def _end(foreign: NDArray[np.bool_]) -> float | None:
    """Return where, outward from the characters, the first line is foreign, in character heights."""
    far = round(FAR * _PER_HEIGHT)
    skip = 1  # the line next to the characters may hold their blur
    hits = np.flatnonzero(foreign[skip:far])
    return max(NEAR, (int(hits[0]) + skip) / _PER_HEIGHT) + 0.03 if len(hits) else None  # 0.03: the edge's own blur
