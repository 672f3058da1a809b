"""Regions of a frame as the square float pictures a YOLO model takes, and boxes back again.

The reference is ultralytics 8.4 (AGPL-3.0), whose models were trained on pictures made this way: `LetterBox(auto=False,
scaleup=True)`, the predictor's conversion to RGB 0-1, and `scale_boxes`. `tests/unit/models/test_letterbox.py` holds
the results equal bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from platefleet.models.detections import Boxes, Frame, Region

Blob = NDArray[np.float32]
"""(n, 3, size, size) float32, RGB, 0-1, C-contiguous."""

PAD = 114
"""Gray level beside the picture (ultralytics' `padding_value`)."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the picture lies in its square: `height` by `width` pixels from (`left`, `top`)."""

    height: int
    width: int
    top: int
    left: int


@lru_cache(maxsize=256)
def placement(shape: tuple[int, int], size: int) -> Placement:
    """Return where a picture of `shape` (height, width; each ≥ 1) lies in a square of `size` pixels.

    Both sides are scaled alike and rounded each for itself, so a thin picture keeps at least one pixel; an odd number
    of padding pixels puts the larger half right and below (source: `LetterBox.get_params`).

    >>> placement((100, 200), 416)
    Placement(height=208, width=416, top=104, left=0)
    """
    height, width = shape
    gain = min(size / height, size / width)
    new_height, new_width = max(round(height * gain), 1), max(round(width * gain), 1)
    return Placement(
        new_height, new_width, top=round((size - new_height) / 2 - 0.1), left=round((size - new_width) / 2 - 0.1)
    )


def letterbox(frame: Frame, regions: Sequence[Region], size: int, out: Blob | None = None) -> Blob:
    """Cut `regions` out of `frame`, each scaled into a gray square of `size` pixels, as RGB 0-1.

    Each region must hold a pixel and lie in the frame. `out`, (≥ n, 3, size, size), is written to instead of new
    memory, and its first n squares are returned: valid until the next call with it.
    Raises ValueError for a region without a pixel or outside the frame, and for an `out` that does not fit.
    """
    if out is None:
        out = np.empty((len(regions), 3, size, size), np.float32)
    elif out.dtype != np.float32 or len(out) < len(regions) or out.shape[1:] != (3, size, size):
        raise ValueError(f"{len(regions)} squares of {size} pixels do not fit a {out.dtype} buffer of {out.shape}")
    scratch = np.empty(size * size * 3, np.uint8)
    for square, region in zip(out, regions, strict=False):
        _fill(square, frame, region, scratch)
    return out[: len(regions)]


def _fill(square: Blob, frame: Frame, region: Region, scratch: NDArray[np.uint8]) -> None:
    """Write one region into one (3, size, size) square."""
    height, width = region.shape
    if height == 0 or width == 0 or region.x1 < 0 or region.y1 < 0:
        raise ValueError(f"the region {region} holds no pixel of the frame")
    if region.y2 > frame.shape[0] or region.x2 > frame.shape[1]:
        raise ValueError(f"the region {region} reaches beyond a frame of {frame.shape[1]}x{frame.shape[0]}")
    at = placement((height, width), square.shape[1])
    picture = frame[region.y1 : region.y2, region.x1 : region.x2]
    if (at.height, at.width) != (height, width):
        resized = scratch[: at.height * at.width * 3].reshape(at.height, at.width, 3)
        cv2.resize(picture, (at.width, at.height), dst=resized, interpolation=cv2.INTER_LINEAR)
        picture = resized
    bottom, right = at.top + at.height, at.left + at.width
    gray = np.float32(PAD) / np.float32(255)
    square[:, : at.top] = gray
    square[:, bottom:] = gray
    square[:, at.top : bottom, : at.left] = gray
    square[:, at.top : bottom, right:] = gray
    # Dividing, as the reference does: multiplying by 1/255 differs in the last bit for 126 of the 256 levels.
    for channel, plane in zip((2, 1, 0), cv2.split(picture), strict=True):
        np.divide(plane, np.float32(255), out=square[channel, at.top : bottom, at.left : right])


def to_frame(boxes: Boxes, region: Region, size: int) -> Boxes:
    """Boxes in a letterboxed square, mapped back to the frame (source: `scale_boxes`, the inverse of `letterbox`).

    boxes: (n, 4) float32, x1 y1 x2 y2 in pixels of the `size`-square; n may be 0; not modified.
    Returns (n, 4) float32, frame pixels, clipped to `region`. Raises ValueError if `region` is empty.

    >>> to_frame(np.float32([[0, 104, 416, 312]]), Region(100, 200, 308, 304), size=416)
    array([[100., 200., 308., 304.]], dtype=float32)
    """
    height, width = region.shape
    if height == 0 or width == 0:
        raise ValueError(f"the region {region} holds no pixel")
    at = placement((height, width), size)
    pad = np.array([at.left, at.top] * 2, np.float32)
    gain = np.array([at.width / width, at.height / height] * 2, np.float32)
    most = np.array([width, height] * 2, np.float32)
    offset = np.array([region.x1, region.y1] * 2, np.float32)
    mapped: Boxes = np.clip((boxes - pad) / gain, np.float32(0), most) + offset
    return mapped


def within(region: Region, frame: Frame) -> Region:
    """Return the part of `region` that lies in `frame`; it may hold no pixel.

    >>> within(Region(-5, 2, 10, 90), np.zeros((20, 30, 3), np.uint8))
    Region(x1=0, y1=2, x2=10, y2=20)
    """
    height, width = frame.shape[:2]
    return Region(max(region.x1, 0), max(region.y1, 0), min(region.x2, width), min(region.y2, height))
