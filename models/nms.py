"""Of boxes that overlap, only the best: non-maximum suppression exactly as the reference has it.

Source: ultralytics 8.4 `non_max_suppression` with torchvision's `nms`. `cv2.dnn.NMSBoxes` is not used: it computes in
double precision from x, y, width and height, so at the threshold it decides otherwise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from platefleet.models.detections import Boxes, Detections

CLASS_OFFSET = 7680.0
"""Pixels that set the classes apart, so that boxes of two classes never meet (ultralytics' `max_wh`)."""
MOST_CANDIDATES = 30_000
"""Boxes looked at, best first (ultralytics' `max_nms`)."""
MOST_DETECTIONS = 300
"""Boxes kept (ultralytics' `max_det`)."""


def suppress(found: Detections, iou: float, *, agnostic: bool = False, most: int = MOST_DETECTIONS) -> Detections:
    """Return the detections that overlap no better one of their class by more than `iou` (0-1), best first.

    agnostic: a better box of any class suppresses. At equal confidence the earlier one counts as better.

    >>> boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]])
    >>> found = Detections(boxes, np.float32([0.6, 0.9, 0.7]), np.int32([0, 0, 0]))
    >>> suppress(found, 0.5).confidences
    array([0.9, 0.7], dtype=float32)
    """
    order = np.argsort(-found.confidences, kind="stable")[:MOST_CANDIDATES]
    boxes = found.boxes[order]
    if not agnostic:
        # Added in float32 like the reference, whose overlaps are rounded by it.
        boxes = boxes + (found.classes[order].astype(np.float32) * np.float32(CLASS_OFFSET))[:, None]
    return found.where(order[_kept(boxes, iou, most)])


def _kept(boxes: Boxes, iou: float, most: int) -> NDArray[np.intp]:
    """Return which of `boxes`, best first, stay; at most `most`."""
    x1, y1, x2, y2 = np.ascontiguousarray(boxes.T)
    areas = (x2 - x1) * (y2 - y1)
    threshold = np.float64(iou)  # torchvision compares a float32 overlap with a double
    kept: list[int] = []
    left = np.arange(len(boxes))
    while len(left) and len(kept) < most:
        first, left = left[0], left[1:]
        kept.append(int(first))
        if len(left) == 0:
            break
        width = np.minimum(x2[first], x2[left]) - np.maximum(x1[first], x1[left])
        height = np.minimum(y2[first], y2[left]) - np.maximum(y1[first], y1[left])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        with np.errstate(invalid="ignore", divide="ignore"):  # two boxes without area: 0/0 suppresses nothing
            overlap = shared / (areas[first] + areas[left] - shared)
        left = left[~(overlap > threshold)]
    return np.array(kept, np.intp)
