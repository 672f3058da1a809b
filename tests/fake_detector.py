"""A detector for tests that need no network: it finds what is painted in one colour. It passes the contract."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from platefleet.models.detections import Detections, Frame, Region
from platefleet.models.letterbox import within
from platefleet.protocol.errors import ModelError


class FakeDetector:
    """Finds the one rectangle around all pixels of `colour` (BGR) in each region, with a fixed confidence."""

    def __init__(self, colour: tuple[int, int, int] = (0, 0, 255), name: str = "car", confidence: float = 0.9) -> None:
        self._colour = np.array(colour, np.uint8)
        self._name = name
        self._confidence = confidence
        self._closed = False
        self.calls = 0

    @property
    def classes(self) -> tuple[str, ...]:
        return (self._name,)

    def detect(self, frame: Frame, regions: Sequence[Region]) -> list[Detections]:
        if self._closed:
            raise ModelError("the fake detector is closed; open it again")
        self.calls += 1
        return [self._found(frame, within(region, frame)) for region in regions]

    def close(self) -> None:
        self._closed = True

    def _found(self, frame: Frame, region: Region) -> Detections:
        if not all(region.shape):
            return Detections.empty()
        rows, columns = np.nonzero((frame[region.y1 : region.y2, region.x1 : region.x2] == self._colour).all(axis=2))
        if len(rows) == 0:
            return Detections.empty()
        low = np.array([columns.min() + region.x1, rows.min() + region.y1])
        high = np.array([columns.max() + region.x1 + 1, rows.max() + region.y1 + 1])
        return Detections(
            np.concatenate([low, high])[None].astype(np.float32),
            np.array([self._confidence], np.float32),
            np.zeros(1, np.int32),
        )
