"""A first run of an artifact in a child: what crashes there crashes nobody else."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import numpy as np

from platefleet.models.artifacts.passport import Opening, Passport
from platefleet.models.artifacts.room import free_gpu_bytes
from platefleet.models.build.child import Bounds, Tell, run_in_child
from platefleet.models.errors import ArtifactError, BuildDeferred, BuildError

DEADLINE_S = 300.0
"""A Jetson takes a minute to initialise CUDA and load an engine for the first time."""


def warm(passport: Passport, model: Path, *, deadline_s: float = DEADLINE_S) -> Opening:
    """Open the model in a child, run it once on noise, and return what that took.

    Raises ArtifactError if the child ends or hangs, and what opening it raises; then it is not to be loaded here.
    """
    try:
        done = run_in_child(_once, passport, model, what=f"{passport.title}", bounds=Bounds(deadline_s=deadline_s))
    except BuildDeferred as error:
        raise ArtifactError(f"{error}, and was not loaded") from error
    except BuildError as error:
        raise ArtifactError(f"{error}; it failed its warm run in a child and was not loaded") from error
    seconds, gpu_bytes = done.result
    return Opening(seconds=round(seconds, 3), memory_bytes=done.peak_memory_bytes, gpu_bytes=gpu_bytes)


def _once(_: Tell, passport: Passport, model: Path) -> tuple[float, int]:
    """Return how long it took and what of a GPU's memory. Run in the child."""
    from platefleet.models.artifacts.opening import opened_detector, opened_reader  # noqa: PLC0415 - they call this one
    from platefleet.models.detections import Region  # noqa: PLC0415

    frame = np.random.default_rng(1).integers(0, 255, (360, 480, 3), np.uint8)
    free = free_gpu_bytes() if passport.recipe.format == "tensorrt" else None
    began = time.perf_counter()
    if passport.recipe.role == "reader":
        with closing(opened_reader(passport, model)) as reader:
            reader.read(frame, np.array([[40, 40, 200, 80]], np.float32))
            return time.perf_counter() - began, _used(free)
    with closing(opened_detector(passport, model, confidence=0.25, iou=0.7)) as detector:
        detector.detect(frame, [Region.whole(frame)])
        return time.perf_counter() - began, _used(free)


def _used(free: int | None) -> int:
    """Return how much less of the GPU's memory is free than before."""
    left = None if free is None else free_gpu_bytes()
    return 0 if free is None or left is None else max(free - left, 0)
