"""Which truths a detector found at a threshold: each truth by at most one box, best boxes first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from platefleet.models.acceptance.measured import Measured, Truths
from platefleet.models.boxes import iou

FOUND_IOU = 0.5
"""A plate is found if a box overlaps it so far; half as much again as it takes to read it (the reader fits the box)."""


def best_confidences(measured: Measured, truths: Truths, least_iou: float = FOUND_IOU) -> NDArray[np.float32]:
    """Return for each truth the confidence of the box that finds it, (m,) float32; 0 where none does.

    Within a frame the pairs of box and truth of one class are taken by falling confidence, each box and each truth
    once, as COCO does it; so a truth is found at a threshold exactly if this is at least the threshold.
    """
    best = np.zeros(len(truths), np.float32)
    for frame in np.unique(truths.frames):
        wanted = np.flatnonzero(truths.frames == frame)
        offered = np.flatnonzero(measured.frames == frame)
        if len(offered) == 0:
            continue
        overlap = iou(measured.found.boxes[offered], truths.boxes[wanted])
        same = measured.found.classes[offered][:, None] == truths.classes[wanted][None, :]
        overlap = np.where(same & (overlap >= least_iou), overlap, np.float32(0))
        for at in np.argsort(-measured.found.confidences[offered], kind="stable"):
            choice = int(np.argmax(overlap[at]))
            if overlap[at, choice] > 0:
                best[wanted[choice]] = measured.found.confidences[offered[at]]
                overlap[:, choice] = 0
    return best


def as_truths(measured: Measured, threshold: float) -> Truths:
    """Return what a baseline finds at its threshold as truths that nobody labelled."""
    frames, found = measured.above(threshold)
    return Truths(frames, found.boxes, found.classes, labelled=False)


def false_boxes(measured: Measured, truths: Truths, threshold: float, least_iou: float = FOUND_IOU) -> int:
    """Return how many boxes at or above the threshold find no truth."""
    _, found = measured.above(threshold)
    hits = int(np.count_nonzero(best_confidences(measured, truths, least_iou) >= threshold))
    return len(found) - hits
