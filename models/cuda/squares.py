"""Where regions lie in their squares, packed as the kernels read it; and what the kernels wrote, read back. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from platefleet.models.cuda.source import COUNTS, FIELDS, KEPT, MOST_SQUARES
from platefleet.models.detections import Detections, Region
from platefleet.models.letterbox import placement

_PLACE = struct.Struct("=2d2f8i")
PLACES_BYTES = _PLACE.size * MOST_SQUARES
RESULT_WORDS = COUNTS + KEPT * FIELDS
"""32-bit words that a square's result takes."""


def places(regions: Sequence[Region], size: int) -> bytes:
    """Return the `Places` of up to `MOST_SQUARES` regions in squares of `size` pixels; each holds a pixel.

    >>> len(places([Region(0, 0, 200, 100)], 416)) == PLACES_BYTES
    True
    """
    packed = bytearray()
    for region in regions:
        height, width = region.shape
        at = placement((height, width), size)
        # As `cv2.resize` computes its step: the inverse of a rounded quotient.
        step_x, step_y = 1.0 / (at.width / width), 1.0 / (at.height / height)
        gains = (at.width / width, at.height / height)
        corner = (region.x1, region.y1, width, height)
        packed += _PLACE.pack(step_x, step_y, *gains, *corner, at.left, at.top, at.width, at.height)
    return bytes(packed.ljust(PLACES_BYTES, b"\0"))


def results(words: NDArray[np.float32], count: int) -> list[Detections | None]:
    """Return what was found in each of `count` squares; None where the candidates were too many for the GPU.

    words: what `suppress` wrote, float32, the first `COUNTS` of each square whole numbers. The arrays are copies.
    """
    squares = words[: count * RESULT_WORDS].reshape(count, RESULT_WORDS)
    found: list[Detections | None] = []
    for square, (candidates, kept) in zip(squares, squares[:, :2].view(np.int32).tolist(), strict=True):
        if candidates and not kept:
            found.append(None)
            continue
        rows = square[COUNTS : COUNTS + kept * FIELDS].reshape(kept, FIELDS).copy()
        found.append(Detections(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int32)))
    return found
