"""What the pipeline asks of a backend. A fake in a test passes `tests/contracts` like the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from platefleet.models.detections import Detections, Frame, Region
from platefleet.models.reading import Reading


class Detector(Protocol):
    """Finds boxes in regions of one frame, all regions in one batch where the backend can."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the model's classes; `Detections.classes` indexes it."""
        ...

    def detect(self, frame: Frame, regions: Sequence[Region]) -> list[Detections]:
        """Return one `Detections` for each region, in frame pixels and clipped to its region.

        A region or frame without a pixel gives no detections. Raises ModelError if the backend fails.
        """
        ...

    def close(self) -> None:
        """Give back what the backend holds; safe to call twice."""
        ...


@runtime_checkable
class HoldsFrames(Protocol):
    """A detector that can keep a frame where it computes, so that the stages of a pipeline bring it there once."""

    def holding(self, frame: Frame) -> AbstractContextManager[None]:
        """Keep `frame` for what `detect` is asked inside; it must not change there."""
        ...


class Reader(Protocol):
    """Reads plates: detector boxes of one frame in one batch."""

    def read(self, frame: Frame, boxes: NDArray[np.float32]) -> list[PlateText]:
        """Return one `PlateText` for each of the (n, 4) boxes, in order. Raises ModelError if the backend fails."""
        ...

    def close(self) -> None:
        """Give back what the backend holds; safe to call twice."""
        ...


class PlateText(Protocol):
    """What a reader tells of one plate."""

    @property
    def reading(self) -> Reading:
        """The characters."""
        ...

    @property
    def corners(self) -> NDArray[np.float32]:
        """(4, 2) float32: the rectified plate's corners in the frame, fitted to the characters."""
        ...
