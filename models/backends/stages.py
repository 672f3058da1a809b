"""How long a detector took for what: preparing, the network, and what comes after it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from platefleet.models.backends.squares import Forward, Squares
from platefleet.models.detections import Detections, Frame, Region
from platefleet.models.letterbox import Blob


@dataclass(frozen=True, slots=True)
class StageMs:
    """Milliseconds of one `detect`. pre: letterbox; inference: the runtime's call; post: decoding and suppression."""

    pre: float = 0.0
    inference: float = 0.0
    post: float = 0.0


class Stages:
    """Runs a detector's squares and notes the time between their parts; three clock readings a pass."""

    def __init__(self) -> None:
        self.last = StageMs()

    def detect(self, squares: Squares, forward: Forward, frame: Frame, regions: Sequence[Region]) -> list[Detections]:
        """Return what `squares.detect` returns; `last` then tells of it. Of several passes, `pre` is the first's."""
        spans: list[tuple[float, float]] = []

        def timed(blob: Blob) -> NDArray[np.float32]:
            began = time.perf_counter()
            output = forward(blob)
            spans.append((began, time.perf_counter()))
            return output

        began = time.perf_counter()
        found = squares.detect(timed, frame, regions)
        self.last = split(began, spans, time.perf_counter())
        return found


def split(began: float, spans: Sequence[tuple[float, float]], ended: float) -> StageMs:
    """Return the stages of what went on from `began` to `ended`, in seconds, with passes of the network in `spans`.

    >>> split(0.0, [(0.5, 1.0), (1.25, 2.0)], 3.0)
    StageMs(pre=500.0, inference=1250.0, post=1250.0)
    """
    inference = sum(end - start for start, end in spans)
    pre = spans[0][0] - began if spans else ended - began
    return StageMs(pre * 1000, inference * 1000, max(ended - began - pre - inference, 0.0) * 1000)
