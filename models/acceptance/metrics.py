"""Mean average precision as COCO counts it, by COCO's own code (pycocotools)."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

import numpy as np

from platefleet.models.acceptance.matching import best_confidences
from platefleet.models.acceptance.measured import Measured, Truths
from platefleet.models.errors import MissingExtra


@dataclass(frozen=True, slots=True)
class Metrics:
    """map_50_95, map_50: 0-1, over the classes that occur. recall: share of the truths found at the threshold, 0-1."""

    map_50_95: float
    map_50: float
    recall: float


def metrics(measured: Measured, truths: Truths, threshold: float) -> Metrics:
    """Return the metrics of a measurement. Raises MissingExtra without pycocotools; without truths all are 0."""
    if len(truths) == 0:
        return Metrics(0.0, 0.0, 0.0)
    recall = float(np.mean(best_confidences(measured, truths) >= threshold))
    if len(measured.found) == 0:
        return Metrics(0.0, 0.0, recall)
    try:
        from pycocotools.coco import COCO  # noqa: PLC0415 - an extra, loaded when something is evaluated
        from pycocotools.cocoeval import COCOeval  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra('pycocotools is not installed: pip install "platefleet[engines]"') from error
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        truth = COCO()
        truth.dataset = _dataset(truths, measured.count)
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(_results(measured)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return Metrics(max(float(evaluation.stats[0]), 0.0), max(float(evaluation.stats[1]), 0.0), recall)


def _dataset(truths: Truths, count: int) -> dict[str, object]:
    annotations = [
        {
            "id": number,
            "image_id": int(frame),
            "category_id": int(kind),
            "bbox": [float(x1), float(y1), float(x2 - x1), float(y2 - y1)],
            "area": float((x2 - x1) * (y2 - y1)),
            "iscrowd": 0,
        }
        for number, (frame, (x1, y1, x2, y2), kind) in enumerate(
            zip(truths.frames, truths.boxes, truths.classes, strict=True), 1
        )
    ]
    kinds = sorted({int(kind) for kind in truths.classes})
    return {
        "info": {},
        "images": [{"id": number} for number in range(count)],
        "annotations": annotations,
        "categories": [{"id": kind, "name": str(kind)} for kind in kinds],
    }


def _results(measured: Measured) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return (n, 7): image, x, y, width, height, confidence, class, as pycocotools takes it."""
    boxes = measured.found.boxes.astype(np.float64)
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.column_stack(
        [measured.frames, boxes[:, :2], sides, measured.found.confidences, measured.found.classes]
    ).astype(np.float64)
