"""What artifacts are compared with in the same run: the runtime called by hand, ultralytics' own prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from platefleet.models.artifacts.passport import Passport
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.backends.cores import usable_cores
from platefleet.models.bench.runners import Given, Runner
from platefleet.models.errors import MissingExtra
from platefleet.models.pipeline import OVERLAP, PLATE_CONFIDENCE
from platefleet.models.rectify import STRIP_HEIGHT


def references_of(store: ArtifactStore, passport: Passport) -> list[Runner]:
    """Return what an artifact can be compared with: its forward pass alone (ONNX), ultralytics (`.pt` and ONNX).

    Raises MissingExtra without ultralytics.
    """
    model, recipe = store.model(passport), passport.recipe
    found = []
    reads = recipe.role == "reader"
    if recipe.format == "onnx":
        found.append(raw_session(model, recipe.size, passport.key, height=STRIP_HEIGHT if reads else None))
    if recipe.format in {"onnx", "pt"} and not reads:
        found.append(ultralytics(model, recipe.size, passport.key))
    return found


def raw_session(model: Path, size: int, key: str, *, height: int | None = None, defaults: bool = False) -> Runner:
    """Return ONNX Runtime called by hand: `run` on a prepared blob, nothing before it and nothing after.

    height: of what it takes, as a reader's strips; None: it takes squares. defaults: with its own options, whose
    threads go on spinning after a pass and take the cores from what else is measured in the same run; else with ours.
    """
    import onnxruntime  # noqa: PLC0415 - an extra, loaded when used

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    for name, side in (("height", height or size), ("width", size)):
        options.add_free_dimension_override_by_name(name, side)
    if not defaults:
        options.intra_op_num_threads = usable_cores()
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session: Any = onnxruntime.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    blob = np.random.default_rng(1).random((_batch(given), 3, height or size, size), np.float32)
    name = f"ONNX Runtime by hand{', its own options' if defaults else ''}"
    return Runner(name, key, lambda _given, _many: session.run(None, {given.name: blob}), spins=defaults)


def _batch(given: Any) -> int:
    """Return the batch that a model's input is fixed to, 1 where it is open."""
    return given.shape[0] if isinstance(given.shape[0], int) else 1


def ultralytics(model: Path, size: int, key: str) -> Runner:
    """Return ultralytics' `predict` on the same file."""
    from platefleet.models.backends.pt import quiet_torch  # noqa: PLC0415

    quiet_torch()
    try:
        from ultralytics.models import YOLO  # noqa: PLC0415 - an extra, loaded when used
    except ImportError as error:
        raise MissingExtra('ultralytics is not installed: pip install "platefleet[torch]"') from error
    network: Any = YOLO(str(model), task="detect", verbose=False)

    def run(given: Given, _: int) -> object:
        return network.predict(given.frame, imgsz=size, conf=PLATE_CONFIDENCE, iou=OVERLAP, verbose=False)

    return Runner(f"ultralytics predict, {model.suffix}", key, run, spins=True)
