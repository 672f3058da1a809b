"""Stores with real artifacts in them, built once for all tests, and copied for each."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from platefleet.models.acceptance.dataset import Dataset, load_dataset
from platefleet.models.artifacts.key import key_of
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.passport import Machine, Passport, Recipe, Verdict
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.build.run import Order, build
from platefleet.models.fetching import sha256_of
from platefleet.models.weights import Materials


@dataclass(frozen=True)
class Built:
    """A store with the plate model's baseline and its INT8 artifact, and the photos that it was calibrated on."""

    store: ArtifactStore
    baseline: Passport
    int8: Passport
    calibration: Path
    steps: tuple[str, ...]
    """What the INT8 build told of its progress."""


def photo_folder(photos: Sequence[Path], folder: Path, *, labels: bool = True) -> Path:
    """Copy photos, with the labels beside them, into a new folder."""
    folder.mkdir(parents=True)
    for path in photos:
        shutil.copy(path, folder)
        if labels:
            shutil.copy(path.with_suffix(".txt"), folder)
    return folder


def models_of(kept: Materials, store: ArtifactStore) -> dict[str, str]:
    """Return an agent's `[models]` of the pinned weights and a store."""
    weights = {"vehicle": kept.vehicle, "plate": kept.plate, "reader": kept.reader}
    return {name: str(path) for name, path in {**weights, "store": store.root}.items()}


@pytest.fixture(scope="session")
def built(plate_weights: Path, barrier_photos: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built by real children; not to be changed by a test."""
    root = tmp_path_factory.mktemp("built")
    store = ArtifactStore(root / "artifacts")
    calibration = photo_folder(barrier_photos[:3], root / "calibration")
    source = store.add_source("plate", plate_weights)
    here = machine()
    recipe = Recipe(role="plate", source=source, format="onnx", precision="fp32", size=416, batch=None)
    baseline = build(store, Order(recipe), machine=here)
    small = recipe.model_copy(update={"precision": "int8", "head_fp32": True})
    steps: list[str] = []
    order = Order(small, load_dataset(calibration))
    int8 = build(store, order, machine=here, tell=lambda step, _: steps.append(step))
    return Built(store, baseline, int8, calibration, tuple(steps))


@pytest.fixture
def store(built: Built, tmp_path: Path) -> ArtifactStore:
    """The same store, this test's own."""
    shutil.copytree(built.store.root, tmp_path / "artifacts")
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture(scope="session")
def photos(barrier_photos: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Eight labelled photos that the INT8 artifact was not calibrated on."""
    return load_dataset(photo_folder(barrier_photos[10:], tmp_path_factory.mktemp("photos") / "labelled"))


def placed(store: ArtifactStore, recipe: Recipe, model: Path, **more: object) -> Passport:
    """Put a model into a store as the artifact of `recipe`, whatever it is."""
    with model.open("rb") as file:
        digest = sha256_of(file)
    name = f"{digest}{model.suffix}"
    here = Machine(cpu="a test's")
    passport = Passport.model_validate(
        {
            "key": key_of(recipe, here),
            "recipe": recipe,
            "machine": here,
            "files": {name: digest},
            "classes": ("license_plate",),
            "made_utc_ns": 1,
            "verdict": Verdict(judged="unmeasured"),
            **more,
        }
    )
    with store.staged(recipe.role) as folder:
        shutil.copy(model, folder / name)
        store.place(passport, folder)
    return passport
