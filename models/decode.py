"""What a YOLOv8 or YOLO11 detector puts out, as detections in its square.

Source: ultralytics 8.4 `non_max_suppression` before its suppression (one class per box, the best).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from platefleet.models.detections import Detections


def decode(output: NDArray[np.float32], confidence: float, classes: Sequence[int] | None = None) -> Detections:
    """Return the boxes of one picture whose best class is more than `confidence` certain, in the model's order.

    output: (4 + classes, anchors) or (1, 4 + classes, anchors) float32: centre x, centre y, width, height in pixels of
    the square, then a confidence 0-1 for each class. classes: keep these only (None: all); the best class is chosen
    first, so a box is never kept for its second best. Raises ValueError for another shape.

    >>> decode(np.float32([[10, 50], [20, 50], [4, 10], [8, 10], [0.9, 0.1], [0.2, 0.3]]), 0.5).boxes
    array([[ 8., 16., 12., 24.]], dtype=float32)
    """
    if output.ndim == 3 and len(output) == 1:
        output = output[0]
    if output.ndim != 2 or len(output) < 5:
        raise ValueError(f"a detector's output is (4 + classes, anchors), not {output.shape}")
    scores = output[4:]
    # Compared in float32, as torch does: a confidence of 0.1 is not above the threshold 0.1.
    # One pass over contiguous rows leaves a handful of anchors; all that follows touches only those.
    best = scores[0] if len(scores) == 1 else scores.max(axis=0)
    candidates = np.flatnonzero(best > np.float32(confidence))
    number = scores[:, candidates].argmax(axis=0)
    if classes is not None:
        wanted = np.isin(number, list(classes))
        candidates, number = candidates[wanted], number[wanted]
    centre, half = output[0:2, candidates], output[2:4, candidates] / np.float32(2)
    boxes = np.concatenate([centre - half, centre + half]).T.astype(np.float32, copy=False)
    return Detections(
        np.ascontiguousarray(boxes), best[candidates].astype(np.float32, copy=False), number.astype(np.int32)
    )
