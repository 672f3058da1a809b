"""Run an artifact over a set of frames and keep what it found: measuring, without judging."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.acceptance.measured import Measured
from platefleet.models.detections import Detections, Region
from platefleet.models.ports import Detector

Progress = Callable[[int, int], None]
"""Takes how many frames are done, and of how many."""
WARM_UP = 2
"""Looks at the first frame that are not timed: the first pass of any runtime allocates."""


def evaluate(
    detector: Detector,
    dataset: Dataset,
    key: str,
    *,
    progress: Progress | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Measured:
    """Return what the detector finds in every frame of the dataset, and how long each took.

    The detector must have been opened at LEAST_CONFIDENCE (`measured.py`); thresholds are chosen afterwards. stopping:
    asked before each frame; a measurement that was stopped is one of fewer frames, and of another digest.
    Raises ModelError if the detector fails, PictureError for a frame that cannot be read.
    """
    found: list[Detections] = []
    frames: list[int] = []
    ms: list[float] = []
    for number, frame in enumerate(dataset.frames()):
        if stopping():
            break
        regions = [Region.whole(frame)]
        for _ in range(WARM_UP if number == 0 else 0):
            detector.detect(frame, regions)
        began = time.perf_counter()
        (here,) = detector.detect(frame, regions)
        ms.append((time.perf_counter() - began) * 1000)
        found.append(here)
        frames += [number] * len(here)
        if progress is not None:
            progress(number + 1, len(dataset))
    whole = len(ms) == len(dataset)
    return Measured(
        key,
        dataset.digest if whole else f"{dataset.digest}/{len(ms)}",
        len(ms),
        np.array(frames, np.int32),
        Detections.concatenate(found),
        np.array(ms, np.float64),
    )
