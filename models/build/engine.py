"""A recipe's TensorRT engine, built on this device's GPU. Blocks for minutes: run it in a child process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.artifacts.passport import Recipe
from platefleet.models.build.log import BuilderLog
from platefleet.models.build.network import Calibration, EngineOptions, build_plan
from platefleet.models.cuda.context import Gpu
from platefleet.models.cuda.memory import DeviceBuffer
from platefleet.models.detections import Region
from platefleet.models.errors import BuildError
from platefleet.models.letterbox import letterbox
from platefleet.models.rectify import STRIP_HEIGHT

TACTIC_SOURCES = "PLATEFLEET_TACTIC_SOURCES"
"""Names with commas between, for a machine whose cuBLAS or cuDNN cannot be used; unset, TensorRT chooses."""
CALIBRATION_MOST = 200
"""Frames that are looked at; more move the ranges hardly (ultralytics and NVIDIA advise a few hundred)."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the builder said: lines of its log by kind, and what was not done as asked."""

    skipped_tactics: int
    fallbacks: int
    warnings: int
    notes: tuple[str, ...]


class CalibrationBuffer:
    """Where a calibrator's batches lie on the GPU. While the owner is active."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._buffer: DeviceBuffer | None = None

    def upload(self, pictures: NDArray[np.float32]) -> int:
        """Copy `pictures` to the GPU, wait, and return their address there, valid until the next call."""
        if self._buffer is None or self._buffer.count < pictures.nbytes:
            self._buffer = self._gpu.own(DeviceBuffer(self._gpu.driver, pictures.nbytes))
        self._gpu.driver.memcpy_htod(self._buffer.address, np.ascontiguousarray(pictures))
        return self._buffer.address


def build_engine(
    onnx: Path, made: Path, recipe: Recipe, *, workspace_bytes: int | None = None, calibration: Dataset | None = None
) -> Counts:
    """Write the engine of `recipe` from an ONNX model of opset 17 or less to `made`.

    Raises MissingExtra without TensorRT or PyCUDA, ModelError without a GPU, BuildDeferred when memory was short,
    BuildError for anything else that keeps an engine from being built.
    """
    options = options_of(recipe, workspace_bytes)
    if recipe.precision == "int8" and calibration is None:
        raise BuildError(f"{recipe.role}/int8: needs frames to calibrate on; name a folder of them")
    if recipe.precision == "int8" and recipe.role == "reader":
        raise BuildError("reader/tensorrt/int8: is not built by this release; build fp16")
    log = BuilderLog()
    with Gpu() as gpu, gpu.active():
        frames = None
        if calibration is not None and recipe.precision == "int8":
            usual = options.batches[1]
            frames = Calibration(squares(calibration, recipe.size, usual), usual, CalibrationBuffer(gpu))
        built = build_plan(onnx.read_bytes(), options, log, frames)
    made.write_bytes(built.plan)
    return Counts(log.skipped_tactics, log.fallbacks, log.warnings, built.notes)


def options_of(recipe: Recipe, workspace_bytes: int | None = None) -> EngineOptions:
    """Return what a recipe asks of the builder.

    >>> recipe = Recipe(role="reader", source="0" * 64, format="tensorrt", precision="fp16", size=320, batch=None)
    >>> options_of(recipe).input_shape, options_of(recipe).batches
    ((3, 48, 320), (1, 3, 8))
    """
    height = STRIP_HEIGHT if recipe.role == "reader" else recipe.size
    named = os.environ.get(TACTIC_SOURCES)
    return EngineOptions(
        recipe.precision,
        (3, height, recipe.size),
        batch=recipe.batch,
        tf32=recipe.tf32,
        level=recipe.level,
        workspace_bytes=workspace_bytes,
        tactic_sources=None if named is None else tuple(name.strip() for name in named.split(",") if name.strip()),
        fp32_layers=recipe.fp32_layers,
    )


def squares(dataset: Dataset, size: int, batch: int) -> Iterator[NDArray[np.float32]]:
    """Yield the frames of a dataset as the network gets them, in batches that are all full.

    Fewer frames than a batch are repeated until they fill one; what is left over after a full one is left out.
    """
    waiting: list[NDArray[np.float32]] = []
    full = False
    for _, frame in zip(range(CALIBRATION_MOST), dataset.frames(), strict=False):
        waiting.append(letterbox(frame, [Region.whole(frame)], size)[0])
        if len(waiting) == batch:
            yield np.stack(waiting)
            waiting.clear()
            full = True
    if waiting and not full:
        yield np.stack([waiting[at % len(waiting)] for at in range(batch)])
