"""A store of real artifacts on a CUDA machine: the two detectors and the reader, built once by the product's own code.

The folder MODELS holds vehicle-640.onnx, plate-416.onnx and reader.onnx, `photos` (calibration, labelled), `labelled`
(evaluation) and `frames` (the pictures of `labelled` alone). What is built lies there as NAME.engine too.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from platefleet.models.acceptance.dataset import Dataset, load_dataset
from platefleet.models.artifacts.key import key_of
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.passport import Passport, Precision, Recipe, Role
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.build.child import Bounds, Tell
from platefleet.models.build.run import Order, build
from platefleet.models.fetching import digest_of

SOURCES: dict[Role, str] = {"vehicle": "vehicle-640.onnx", "plate": "plate-416.onnx", "reader": "reader.onnx"}
SIZES: dict[Role, int] = {"vehicle": 640, "plate": 416, "reader": 320}
BATCHES: dict[Role, int | None] = {"vehicle": 1, "plate": None, "reader": None}
DEADLINE_S = 540.0


@dataclass(frozen=True)
class Site:
    """Where everything lies."""

    store: ArtifactStore
    models: Path

    @classmethod
    def at(cls, models: Path) -> Site:
        """Open MODELS, its sources in a store inside."""
        site = cls(ArtifactStore(models / "artifacts"), models)
        for role, name in SOURCES.items():
            site.store.add_source(role, models / name)
        return site

    def recipe(self, name: str, level: int | None = 0, batch: int | None = -1) -> Recipe:
        """Return the recipe of an engine, as "plate-fp16"."""
        role, precision = parts(name)
        return Recipe(
            role=role,
            source=digest_of(self.models / SOURCES[role]),
            format="tensorrt",
            precision=precision,
            size=SIZES[role],
            batch=BATCHES[role] if batch == -1 else batch,
            level=level,
        )

    def calibration(self) -> Dataset:
        return load_dataset(self.models / "photos")

    def evaluation(self, role: Role) -> Dataset:
        """Return the frames to judge a role on; for vehicles without labels, since only plates are labelled."""
        return load_dataset(self.models / ("frames" if role == "vehicle" else "labelled"))

    def made(self, recipe: Recipe) -> Passport | None:
        """Return the artifact of a recipe, or None if it was not built yet."""
        key = key_of(recipe, machine())
        return next((each for each in self.store.passports(recipe.role) if each.key == key), None)

    def built(self, name: str, level: int | None = 0, tell: Tell = lambda _step, _share: None) -> Passport:
        """Return an engine, built now unless the store has it."""
        recipe = self.recipe(name, level)
        frames = self.calibration() if recipe.precision == "int8" else None
        if frames is not None:
            recipe = recipe.model_copy(update={"calibration": frames.digest})
        known = self.made(recipe)
        if known is None:
            evaluation = self.evaluation(recipe.role) if frames is not None else None
            order = Order(recipe, frames, evaluation, Bounds(deadline_s=DEADLINE_S))
            known = build(self.store, order, machine=machine(), tell=tell)
        shutil.copyfile(self.store.model(known), self.models / f"{name}.engine")
        return known


def parts(name: str) -> tuple[Role, Precision]:
    """Return role and precision of an engine's name."""
    roles: tuple[Role, ...] = ("vehicle", "plate", "reader")
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "int8")
    for role in roles:
        for precision in precisions:
            if name == f"{role}-{precision}":
                return role, precision
    raise ValueError(f"{name}: no engine's name; vehicle-fp16 would be one")


def aloud(what: str) -> Tell:
    """Return a `tell` that prints each new step with the time since the first."""
    began, last = time.monotonic(), [""]

    def tell(step: str, _share: float | None) -> None:
        word = step.rstrip("0123456789/ ")
        if word != last[0]:
            last[0] = word
            print(f"  {time.monotonic() - began:6.1f} s {what}: {step}", flush=True)

    return tell


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began
