"""Run artifacts over a set of frames and keep what they found: measuring, without judging.

Several are measured in one run, frame by frame and each first in turn, so that a machine that grows hot or busy is as
unkind to all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.acceptance.measured import Measured
from platefleet.models.detections import Detections, Frame, Region
from platefleet.models.ports import Detector

Progress = Callable[[int, int], None]
"""Takes how many frames are done, and of how many."""
WARM_UP = 2
"""Looks at the first frame that are not timed: the first pass of any runtime allocates."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one artifact found in one frame: a detector boxes, a reader the text of each plate that it was shown."""

    found: Detections = field(default_factory=Detections.empty)
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """One artifact to measure. look: takes a frame's number and the frame; it is timed."""

    key: str
    look: Callable[[int, Frame], Seen]


def together(
    subjects: Sequence[Subject],
    dataset: Dataset,
    *,
    only: Collection[int] | None = None,
    progress: Progress | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> list[Measured]:
    """Return what each of the subjects finds in every frame of the dataset, and how long each took.

    only: numbers of the frames that are looked at; None: all. stopping: asked before each frame; a measurement that was
    stopped is one of fewer frames, and of another digest. Raises ModelError if a backend fails, PictureError for a
    frame that cannot be read.
    """
    runs = [_Run() for _ in subjects]
    wanted, done = len(dataset) if only is None else len(only), 0
    for number, frame in enumerate(dataset.frames()):
        if only is not None and number not in only:
            continue
        if stopping():
            break
        for turn in range(len(subjects)):
            at = (done + turn) % len(subjects)
            for _ in range(WARM_UP if done == 0 else 0):
                subjects[at].look(number, frame)
            began = time.perf_counter()
            seen = subjects[at].look(number, frame)
            runs[at].ms.append((time.perf_counter() - began) * 1000)
            runs[at].found.append(seen.found)
            runs[at].frames += [number] * len(seen.found)
            runs[at].texts += seen.texts
        done += 1
        if progress is not None:
            progress(done, wanted)
    evaluation = dataset.digest if done == wanted else f"{dataset.digest}/{done}"
    return [
        Measured(
            subject.key,
            evaluation,
            len(run.ms),
            np.array(run.frames, np.int32),
            Detections.concatenate(run.found),
            np.array(run.ms, np.float64),
            tuple(run.texts),
        )
        for subject, run in zip(subjects, runs, strict=True)
    ]


class _Run:
    """What one subject has found so far."""

    def __init__(self) -> None:
        self.found: list[Detections] = []
        self.frames: list[int] = []
        self.ms: list[float] = []
        self.texts: list[str] = []


def evaluate(
    detector: Detector,
    dataset: Dataset,
    key: str,
    *,
    progress: Progress | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Measured:
    """Return what one detector finds in every whole frame of the dataset; otherwise as `together`.

    The detector must have been opened at LEAST_CONFIDENCE (`measured.py`); thresholds are chosen afterwards.
    """

    def look(_: int, frame: Frame) -> Seen:
        return Seen(detector.detect(frame, [Region.whole(frame)])[0])

    return together([Subject(key, look)], dataset, progress=progress, stopping=stopping)[0]
