"""A first run of an artifact in a child: what crashes there crashes nobody else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from platefleet.models.artifacts.passport import Passport
from platefleet.models.build.child import Bounds, Tell, run_in_child
from platefleet.models.errors import ArtifactError, BuildDeferred, BuildError

DEADLINE_S = 300.0
"""A Jetson takes a minute to initialise CUDA and load an engine for the first time."""


def warm(passport: Passport, model: Path, *, deadline_s: float = DEADLINE_S) -> None:
    """Open the model in a child and run it once on noise.

    Raises ArtifactError if the child ends or hangs, and what opening it raises; then it is not to be loaded here.
    """
    try:
        run_in_child(_once, passport, model, what=f"{passport.title}", bounds=Bounds(deadline_s=deadline_s))
    except BuildDeferred as error:
        raise ArtifactError(f"{error}, and was not loaded") from error
    except BuildError as error:
        raise ArtifactError(f"{error}; it failed its warm run in a child and was not loaded") from error


def _once(_: Tell, passport: Passport, model: Path) -> None:
    """Run in the child."""
    from platefleet.models.artifacts.opening import opened_detector, opened_reader  # noqa: PLC0415 - they call this one
    from platefleet.models.detections import Region  # noqa: PLC0415

    frame = np.random.default_rng(1).integers(0, 255, (360, 480, 3), np.uint8)
    if passport.recipe.role == "reader":
        reader = opened_reader(passport, model)
        try:
            reader.read(frame, np.array([[40, 40, 200, 80]], np.float32))
        finally:
            reader.close()
        return
    detector = opened_detector(passport, model, confidence=0.25, iou=0.7)
    try:
        detector.detect(frame, [Region.whole(frame)])
    finally:
        detector.close()
