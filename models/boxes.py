"""Arithmetic of boxes: pure functions, arrays in and out.

Every box is float32 x1 y1 x2 y2 in pixels; a box without area is allowed and overlaps nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from platefleet.models.detections import Boxes


def area(boxes: Boxes) -> NDArray[np.float32]:
    """Return the areas of (n, 4) boxes in square pixels, (n,) float32; an inverted box has none.

    >>> area(np.float32([[0, 0, 4, 5], [3, 3, 1, 9]]))
    array([20.,  0.], dtype=float32)
    """
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], np.float32(0))
    product: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return product


def intersection(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """Return the shared areas of (n, 4) and (m, 4) boxes in square pixels, (n, m) float32.

    >>> intersection(np.float32([[0, 0, 4, 4]]), np.float32([[2, 2, 6, 6], [4, 0, 8, 4]]))
    array([[4., 0.]], dtype=float32)
    """
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(high - low, np.float32(0))
    product: NDArray[np.float32] = sides[..., 0] * sides[..., 1]
    return product


def iou(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """Return intersection over union of (n, 4) and (m, 4) boxes, (n, m) float32 in 0-1; 0 where nothing has area.

    >>> iou(np.float32([[0, 0, 4, 4]]), np.float32([[0, 0, 4, 2], [0, 0, 4, 4], [9, 9, 9, 9]]))
    array([[0.5, 1. , 0. ]], dtype=float32)
    """
    shared = intersection(a, b)
    union = area(a)[:, None] + area(b)[None, :] - shared
    share: NDArray[np.float32] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return share


def cover(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """Return what share of each of the (n, 4) boxes `a` lies in each of the (m, 4) boxes `b`, (n, m) float32 in 0-1.

    >>> cover(np.float32([[0, 0, 4, 4]]), np.float32([[0, 0, 100, 1], [0, 0, 9, 9]]))
    array([[0.25, 1.  ]], dtype=float32)
    """
    shared = intersection(a, b)
    own = np.broadcast_to(area(a)[:, None], shared.shape)
    share: NDArray[np.float32] = np.divide(shared, own, out=np.zeros_like(shared), where=own > 0)
    return share
