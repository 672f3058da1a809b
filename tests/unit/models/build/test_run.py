"""Real builds on the CPU: the source itself, and INT8 by static quantization; the store holds all of one or nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from platefleet.models.acceptance.dataset import Dataset, load_dataset
from platefleet.models.acceptance.evaluate import evaluate
from platefleet.models.acceptance.measured import LEAST_CONFIDENCE
from platefleet.models.acceptance.verdict import compare
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.passport import Precision, Recipe
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.backends import open_detector
from platefleet.models.build.child import Bounds
from platefleet.models.build.onnx_source import difference, lowered, opset_of
from platefleet.models.build.run import Order, build
from platefleet.models.errors import ArtifactError, BuildError

pytestmark = pytest.mark.materials
HERE = machine()


def folder_of(photos: list[Path], folder: Path) -> Dataset:
    folder.mkdir()
    for path in photos:
        shutil.copy(path, folder)
    return load_dataset(folder)


@pytest.fixture(scope="module")
def frames(barrier_photos: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Dataset]:
    """Three photos to calibrate on and eight to evaluate."""
    folder = tmp_path_factory.mktemp("frames")
    return folder_of(list(barrier_photos[:3]), folder / "cal"), folder_of(list(barrier_photos[10:]), folder / "eval")


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def plates(store: ArtifactStore, weights: Path, precision: Precision = "fp32", **chosen: object) -> Recipe:
    source = store.add_source("plate", weights)
    options = {"role": "plate", "source": source, "format": "onnx", "precision": precision, "size": 416, "batch": None}
    return Recipe.model_validate({**options, **chosen})


def test_the_source_itself_is_the_baseline(store: ArtifactStore, plate_weights: Path) -> None:
    passport = build(store, Order(plates(store, plate_weights)), machine=HERE)
    assert passport.verdict.judged == "baseline"
    assert store.model(passport).read_bytes() == plate_weights.read_bytes()
    assert store.passport("plate", passport.key[:6]) == passport


def test_int8_is_smaller_runs_and_finds_what_the_baseline_finds(
    store: ArtifactStore, plate_weights: Path, frames: tuple[Dataset, Dataset]
) -> None:
    told: list[str] = []
    base = build(store, Order(plates(store, plate_weights)), machine=HERE)
    recipe = plates(store, plate_weights, "int8", head_fp32=True)
    small = build(store, Order(recipe, *frames), machine=HERE, tell=lambda step, _: told.append(step))
    assert small.verdict.judged == "unmeasured"
    assert small.recipe.calibration == frames[0].digest
    assert small.built is not None
    assert small.built.peak_memory_bytes
    assert "calibrating" in told
    assert store.model(small).stat().st_size < 0.5 * store.model(base).stat().st_size
    found = []
    for passport in (base, small):
        detector = open_detector(store.model(passport), 416, LEAST_CONFIDENCE, 0.45)
        found.append(evaluate(detector, frames[1], passport.key))
        detector.close()
    compared = compare(found[0], found[1], None, 0.25)
    assert compared.cases >= 8
    assert compared.lost <= 2


def test_int8_without_frames_or_with_those_of_the_evaluation_is_refused(
    store: ArtifactStore, plate_weights: Path, frames: tuple[Dataset, Dataset]
) -> None:
    recipe = plates(store, plate_weights, "int8")
    with pytest.raises(ArtifactError, match="needs frames"):
        build(store, Order(recipe), machine=HERE)
    with pytest.raises(ArtifactError, match="8 calibration pictures are in the evaluation set too"):
        build(store, Order(recipe, frames[1], frames[1]), machine=HERE)
    assert store.passports("plate") == ()


def test_a_build_that_is_stopped_or_too_slow_leaves_nothing(
    store: ArtifactStore, plate_weights: Path, frames: tuple[Dataset, Dataset]
) -> None:
    order = Order(plates(store, plate_weights, "int8"), *frames)
    with pytest.raises(BuildError, match="was stopped"):
        build(store, order, machine=HERE, stopping=lambda: True)
    with pytest.raises(BuildError, match="within 0 s"):
        build(store, replace(order, bounds=Bounds(deadline_s=0.1)), machine=HERE)
    assert store.passports("plate") == ()
    assert list((store.root / "plate" / "tmp").iterdir()) == []


def test_what_gains_nothing_or_does_not_fit_is_refused_in_one_sentence(
    store: ArtifactStore, plate_weights: Path
) -> None:
    with pytest.raises(BuildError, match="gains nothing"):
        build(store, Order(plates(store, plate_weights, "fp16")), machine=HERE)
    with pytest.raises(BuildError, match=r"a \.pt is its source itself"):
        build(store, Order(plates(store, plate_weights, format="pt")), machine=HERE)


def test_a_source_that_is_no_model_is_told_and_the_rest_stays(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(BuildError, match="not a sound ONNX model"):
        build(store, Order(plates(store, tmp_path / "bad.onnx")), machine=HERE)


def test_the_pinned_weights_are_said_in_an_opset_that_tensorrt_parses(
    vehicle_weights: Path, plate_weights: Path, tmp_path: Path
) -> None:
    for weights in (vehicle_weights, plate_weights):
        older = lowered(weights, tmp_path / weights.name)
        assert opset_of(onnx.load(older)) <= 17
        assert difference(weights, older) < 1e-4
