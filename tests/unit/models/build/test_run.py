"""Real builds on the CPU: the source itself, and INT8 by static quantization; the store holds all of one or nothing."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from platefleet.models.acceptance.dataset import Dataset, load_dataset
from platefleet.models.acceptance.evaluate import evaluate
from platefleet.models.acceptance.measured import LEAST_CONFIDENCE
from platefleet.models.acceptance.verdict import compare
from platefleet.models.artifacts.activation import activated
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.passport import Precision, Recipe
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.backends import open_detector
from platefleet.models.build.child import Bounds
from platefleet.models.build.onnx_source import check_onnx, difference, lowered, opset_of
from platefleet.models.build.run import Order, build
from platefleet.models.build.shapes import input_shape, with_shape
from platefleet.models.detections import Region
from platefleet.models.errors import ArtifactError, BuildError, WeightsError
from platefleet.models.reader import OnnxReader
from tests.artifact_stores import Built

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


def test_int8_is_smaller_runs_and_finds_what_the_baseline_finds(built: Built, photos: Dataset) -> None:
    base, small = built.baseline, built.int8
    assert small.verdict.judged == "unmeasured"
    assert small.recipe.calibration == load_dataset(built.calibration).digest
    assert small.built is not None
    assert small.built.peak_memory_bytes
    assert "calibrating" in built.steps
    assert built.store.model(small).stat().st_size < 0.5 * built.store.model(base).stat().st_size
    found = []
    for passport in (base, small):
        detector = open_detector(built.store.model(passport), 416, LEAST_CONFIDENCE, 0.45)
        found.append(evaluate(detector, photos, passport.key))
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


def test_a_layout_that_no_backend_runs_is_told_when_it_is_built(
    store: ArtifactStore, reader_weights: Path, plate_weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(BuildError, match="not pictures of 416x416 pixels"):
        check_onnx(reader_weights, 416)
    model = onnx.load(plate_weights)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "nameless.onnx")
    with pytest.raises(WeightsError, match="names no classes"):
        build(store, Order(plates(store, tmp_path / "nameless.onnx")), machine=HERE)
    assert store.passports("plate") == ()
    inner = model.graph.node[0].output[0]
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(inner))
    onnx.save(model, tmp_path / "two.onnx")
    with pytest.raises(BuildError, match=r"not a sound ONNX model|1 inputs and 2 outputs"):
        check_onnx(tmp_path / "two.onnx", 416)


def test_a_shape_is_written_down_and_another_is_refused(
    store: ArtifactStore, plate_weights: Path, vehicle_weights: Path, photos: Dataset
) -> None:
    four = build(store, Order(plates(store, plate_weights, batch=4)), machine=HERE)
    assert input_shape(store.model(four)) == (4, 3, 416, 416)
    assert four.classes == ("license_plate",)
    frame = next(photos.frames())
    boxes = []
    for weights in (store.model(four), plate_weights):
        detector = open_detector(weights, 416, 0.25, 0.45)
        boxes.append(detector.detect(frame, [Region.whole(frame)])[0].boxes)
        detector.close()
    assert boxes[0] == pytest.approx(boxes[1], abs=0.1)
    source = store.add_source("vehicle", vehicle_weights)
    recipe = Recipe(role="vehicle", source=source, format="onnx", precision="fp32", size=640, batch=8)
    with pytest.raises(BuildError, match="takes 1x3x640x640, not 8x3x640x640"):
        build(store, Order(recipe), machine=HERE)


def test_sides_are_written_down_and_what_follows_from_them_while_the_batch_stays_open(
    plate_weights: Path, vehicle_weights: Path, tmp_path: Path
) -> None:
    assert any(node.op_type == "Shape" for node in onnx.load(plate_weights).graph.node)
    fixed = with_shape(plate_weights, tmp_path / "fixed.onnx", (None, 3, 416, 416))
    assert input_shape(fixed) == (None, 3, 416, 416)
    assert not [node for node in onnx.load(fixed).graph.node if node.op_type in {"Shape", "Range"}]
    anchors = sum((416 // stride) ** 2 for stride in (8, 16, 32))
    assert onnx.load(fixed).graph.output[0].type.tensor_type.shape.dim[-1].dim_value == anchors
    as_it_is = with_shape(vehicle_weights, tmp_path / "none.onnx", (None, 3, 640, 640))
    assert as_it_is == vehicle_weights
    with pytest.raises(BuildError, match="takes 1x3x640x640, not anyx3x416x416"):
        with_shape(vehicle_weights, tmp_path / "none.onnx", (None, 3, 416, 416))


def test_a_reader_of_one_width_and_batch_reads_what_its_source_reads(
    store: ArtifactStore, reader_weights: Path, photos: Dataset
) -> None:
    source = store.add_source("reader", reader_weights)
    recipe = Recipe(role="reader", source=source, format="onnx", precision="fp32", size=320, batch=2)
    fixed = build(store, Order(recipe), machine=HERE)
    assert fixed.verdict.judged == "unmeasured"
    assert input_shape(store.model(fixed)) == (2, 3, 48, 320)
    assert photos.labels is not None
    texts = []
    for weights in (store.model(fixed), reader_weights):
        reader = OnnxReader(weights)
        for frame, labels in zip(photos.frames(), photos.labels, strict=True):
            boxes = np.array([each.box for each in labels], np.float32)
            texts += [each.reading.text for each in reader.read(frame, boxes)]
        reader.close()
    assert len(texts) == 16
    assert sum(one == other for one, other in zip(texts[:8], texts[8:], strict=True)) >= 7


def test_a_source_that_was_damaged_in_the_store_is_not_opened(store: ArtifactStore, plate_weights: Path) -> None:
    recipe = plates(store, plate_weights)
    path = store.source("plate", recipe.source)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ArtifactError, match="the source is damaged; add it again"):
        build(store, Order(recipe), machine=HERE)


def test_a_disk_that_fills_in_the_middle_is_one_sentence_and_what_runs_goes_on(built: Built, tmp_path: Path) -> None:
    store = ArtifactStore(shutil.copytree(built.store.root, tmp_path / "filling"))
    store.choose("plate", lambda now: activated(now, built.baseline))
    before = sorted(path for path in store.root.rglob("*") if path.is_file())
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "from platefleet.deploy.cli import main\n"
        "sys.argv[0] = 'platefleet'; main()"
    )
    command = [sys.executable, "-c", program, "models", "build", "--role", "plate", "--batch", "1"]
    done = subprocess.run([*command, "--store", str(store.root)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "free some space" in done.stderr
    assert sorted(path for path in store.root.rglob("*") if path.is_file()) == before


@pytest.mark.reference
def test_a_pt_that_is_no_checkpoint_is_told_by_ultralytics_border(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"no checkpoint")
    digest = hashlib.sha256(b"no checkpoint").hexdigest()
    store.add_source("plate", tmp_path / "a.pt", sha256=digest)
    recipe = Recipe(role="plate", source=digest, format="onnx", precision="fp32", size=416, batch=None)
    with pytest.raises(BuildError, match="ultralytics cannot export it"):
        build(store, Order(recipe), machine=HERE)
