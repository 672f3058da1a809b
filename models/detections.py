"""Boxes found in a frame, as parallel arrays that are checked once.

Coordinates are pixels `x1 y1 x2 y2` of the full frame unless a name says otherwise; confidences lie in 0–1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
"""(height, width, 3) uint8, BGR as OpenCV has it."""
Boxes = NDArray[np.float32]
"""(n, 4) float32, x1 y1 x2 y2."""


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of whole pixels in a frame: x1 ≤ x < x2, y1 ≤ y < y2.

    >>> Region(10, 20, 30, 60).shape
    (40, 20)
    """

    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels; a region that holds no pixel has a zero in it."""
        return max(0, self.y2 - self.y1), max(0, self.x2 - self.x1)

    @classmethod
    def whole(cls, frame: Frame) -> Region:
        """Return the region that is all of `frame`."""
        return cls(0, 0, frame.shape[1], frame.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What one detector found in one region: n boxes, best first, n may be 0.

    boxes: (n, 4) float32; confidences: (n,) float32 in 0–1; classes: (n,) int32, the model's own numbers.
    Raises ValueError if the shapes or dtypes are others.
    """

    boxes: Boxes
    confidences: NDArray[np.float32]
    classes: NDArray[np.int32]

    def __post_init__(self) -> None:
        n = len(self.boxes)
        if self.boxes.shape != (n, 4) or self.confidences.shape != (n,) or self.classes.shape != (n,):
            raise ValueError(
                f"detections of shapes {self.boxes.shape}, {self.confidences.shape}, {self.classes.shape} do not match"
            )
        if self.boxes.dtype != np.float32 or self.confidences.dtype != np.float32 or self.classes.dtype != np.int32:
            raise ValueError("detections want float32 boxes and confidences and int32 classes")

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def empty(cls) -> Detections:
        """Return no detections, a full citizen."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))

    def where(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Detections:
        """Return the detections that a mask or an index array picks, in its order."""
        return Detections(self.boxes[keep], self.confidences[keep], self.classes[keep])

    @classmethod
    def concatenate(cls, parts: list[Detections]) -> Detections:
        """Return all of `parts` after each other; an empty list gives no detections."""
        if not parts:
            return cls.empty()
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.confidences for part in parts]),
            np.concatenate([part.classes for part in parts]),
        )
