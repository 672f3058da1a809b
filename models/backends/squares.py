"""What every backend does around its forward pass: regions into squares, outputs into detections of the frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from platefleet.models.decode import decode
from platefleet.models.detections import Detections, Frame, Region
from platefleet.models.letterbox import Blob, letterbox, to_frame, within
from platefleet.models.nms import suppress

MOST_IN_A_BATCH = 16
"""Squares in one forward pass: 16 of 640 pixels take 79 MB in, and what a network needs in between is bounded too."""

Forward = Callable[[Blob], NDArray[np.float32]]
"""(n, 3, size, size) RGB 0-1 to (n, 4 + classes, anchors), both float32."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is kept of a model's output: see `open_detector`."""

    confidence: float
    iou: float
    classes: tuple[int, ...] | None = None
    agnostic: bool = False


class Squares:
    """Runs a forward pass over the regions of a frame. Owns one input buffer; for one thread at a time."""

    def __init__(self, size: int, batch: int | None, thresholds: Thresholds) -> None:
        """Take squares of `size` pixels, always `batch` at once (None: any number up to `MOST_IN_A_BATCH`)."""
        self._size, self._batch, self._thresholds = size, batch, thresholds
        self._buffer: Blob = np.empty((0, 3, size, size), np.float32)

    def detect(self, forward: Forward, frame: Frame, regions: Sequence[Region]) -> list[Detections]:
        """Return one `Detections` for each region, as `Detector.detect` promises."""
        found = [Detections.empty() for _ in regions]
        inside = [within(region, frame) for region in regions]
        filled = [index for index, region in enumerate(inside) if all(region.shape)]
        step = self._batch or MOST_IN_A_BATCH
        for start in range(0, len(filled), step):
            part = filled[start : start + step]
            blob = letterbox(frame, [inside[index] for index in part], self._size, self._room(self._batch or len(part)))
            if self._batch is not None:
                blob = self._buffer[: self._batch]  # a fixed batch is filled up with what lay there before
            for index, output in zip(part, forward(blob), strict=False):
                found[index] = self.mapped(output, inside[index])
        return found

    def _room(self, squares: int) -> Blob:
        """Return the buffer, grown to hold `squares`."""
        if len(self._buffer) < squares:
            self._buffer = np.zeros((squares, 3, self._size, self._size), np.float32)
        return self._buffer

    def mapped(self, output: NDArray[np.float32], region: Region) -> Detections:
        """Return what one output says, in the frame."""
        limits = self._thresholds
        candidates = decode(output, limits.confidence, limits.classes)
        kept = suppress(candidates, limits.iou, agnostic=limits.agnostic)
        return Detections(to_frame(kept.boxes, region, self._size), kept.confidences, kept.classes)
