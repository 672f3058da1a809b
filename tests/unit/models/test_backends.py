from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from platefleet.models.backends import open_detector
from platefleet.models.backends.cores import usable_cores
from platefleet.models.backends.onnx import runtime_errors
from platefleet.models.backends.squares import MOST_IN_A_BATCH, Squares, Thresholds
from platefleet.models.detections import Region
from platefleet.models.errors import WeightsError
from platefleet.models.pinned import PLATE, VEHICLE
from platefleet.protocol.errors import ModelError


def test_absent_weights_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such weights; give the path"):
        open_detector(tmp_path / "none.onnx", 640, 0.25, 0.45)


@pytest.mark.parametrize(("name", "says"), [("a.h5", ".h5 names no"), ("a", "no suffix names no")])
def test_a_kind_that_cannot_be_run_is_a_sentence(name: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ModelError, match=says):
        open_detector(tmp_path / name, 640, 0.25, 0.45)


@pytest.mark.parametrize(("size", "confidence", "iou"), [(0, 0.1, 0.1), (100, 0.1, 0.1), (64, 1.1, 0.1), (64, 0.1, -1)])
def test_a_size_or_threshold_that_no_model_has_is_refused(
    size: int, confidence: float, iou: float, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"multiple of 32|0-1"):
        open_detector(tmp_path / "a.onnx", size, confidence, iou)


def test_a_pt_without_a_pinned_digest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"any")
    with pytest.raises(WeightsError, match="pin its SHA-256"):
        open_detector(tmp_path / "a.pt", 640, 0.25, 0.45)


@pytest.mark.parametrize("name", ["a.pt", "a.onnx"])
def test_weights_with_another_digest_are_refused_unopened(name: str, tmp_path: Path) -> None:
    if name.endswith(".onnx"):
        pytest.importorskip("onnxruntime")
    (tmp_path / name).write_bytes(b"any")
    with pytest.raises(WeightsError, match=f"not the pinned {'0' * 64}"):
        open_detector(tmp_path / name, 640, 0.25, 0.45, sha256="0" * 64)


@pytest.mark.reference
def test_a_pt_that_ultralytics_cannot_load_is_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("ultralytics")
    path = tmp_path / "a.pt"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(WeightsError, match="ultralytics cannot load it"):
        open_detector(path, 640, 0.25, 0.45, sha256=hashlib.sha256(b"no checkpoint").hexdigest())


@pytest.mark.materials
@pytest.mark.parametrize("damage", ["empty", "noise", "half", "header"])
def test_damaged_onnx_is_a_sentence(damage: str, plate_weights: Path, tmp_path: Path) -> None:
    whole = plate_weights.read_bytes()
    path = tmp_path / "a.onnx"
    content = {
        "empty": b"",
        "noise": b"\x07" * 999,
        "half": whole[: len(whole) // 2],
        "header": b"\xff" * 9 + whole[9:],
    }
    path.write_bytes(content[damage])
    with pytest.raises(WeightsError) as raised:
        open_detector(path, 416, 0.25, 0.45)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.materials
def test_a_model_of_another_size_or_task_is_refused(vehicle_weights: Path, reader_weights: Path) -> None:
    with pytest.raises(WeightsError, match="made for 640x640 pixels, not 416"):
        open_detector(vehicle_weights, 416, 0.25, 0.45)
    with pytest.raises(WeightsError):
        open_detector(reader_weights, 640, 0.25, 0.45)


@pytest.mark.materials
def test_pinned_onnx_opens_by_its_digest_and_names_its_classes(vehicle_weights: Path) -> None:
    detector = open_detector(vehicle_weights, 640, 0.25, 0.45, sha256=VEHICLE.members[0].sha256)
    assert detector.classes[2] == "car"
    assert len(detector.classes) == 80


@pytest.mark.materials
def test_only_the_classes_asked_for_are_found(vehicle_weights: Path, barrier_photos: tuple[Path, ...]) -> None:
    cars = open_detector(vehicle_weights, 640, 0.05, 0.45, classes=[2])
    photo = cv2.imread(str(barrier_photos[0]))
    assert photo is not None
    found = cars.detect(photo, [Region.whole(photo)])[0]  # type: ignore[arg-type]  # OpenCV says any integers
    assert set(found.classes.tolist()) == {2}


@pytest.mark.materials
@pytest.mark.reference
def test_what_is_found_equals_ultralytics_own_prediction(
    plate_checkpoint: Path, plate_weights: Path, barrier_photos: tuple[Path, ...]
) -> None:
    engine = pytest.importorskip("ultralytics.models").YOLO(str(plate_checkpoint))
    ours = {
        "pt": open_detector(plate_checkpoint, 416, 0.05, 0.5, sha256=PLATE.members[0].sha256),
        "onnx": open_detector(plate_weights, 416, 0.05, 0.5),
    }
    photo = cv2.imread(str(barrier_photos[0]))
    assert photo is not None
    tall, wide = cv2.resize(photo, (61, 511)), cv2.resize(photo, (701, 133))
    others = [cv2.imread(str(path)) for path in barrier_photos[1:4]]
    pictures = [
        photo,
        *others,
        photo[100:170, 150:301],
        photo[120:, 180:],
        photo[:, 200:211],
        tall,
        wide,
        photo * 0,
        photo[:1, :1],
    ]
    worst = {"pt": np.zeros(2), "onnx": np.zeros(2)}
    seen = 0
    for picture in (np.ascontiguousarray(each, np.uint8) for each in pictures if each is not None):
        options = {"imgsz": 416, "conf": 0.05, "iou": 0.5, "rect": False, "verbose": False, "device": "cpu"}
        boxes = engine.predict(picture, **options)[0].boxes
        seen += len(boxes)
        for name, detector in ours.items():
            found = detector.detect(picture, [Region.whole(picture)])[0]
            assert len(found) == len(boxes), (name, picture.shape)
            if len(found):
                pixels = np.abs(found.boxes - boxes.xyxy.numpy()).max()
                confidence = np.abs(found.confidences - boxes.conf.numpy()).max()
                worst[name] = np.maximum(worst[name], [pixels, confidence])
    assert seen >= 5
    print("largest differences, pixels and confidence:", {name: w.tolist() for name, w in worst.items()})
    assert max(w[0] for w in worst.values()) < 1e-3
    assert max(w[1] for w in worst.values()) < 1e-5


def test_more_regions_than_a_batch_holds_go_in_several() -> None:
    sizes = []

    def forward(blob: np.ndarray) -> np.ndarray:
        sizes.append(len(blob))
        return np.tile(np.array([[16], [16], [8], [8], [0.9]], np.float32), (len(blob), 1, 1))

    frame = np.zeros((64, 64, 3), np.uint8)
    squares = Squares(32, None, Thresholds(0.5, 0.5))
    found = squares.detect(forward, frame, [Region.whole(frame)] * (MOST_IN_A_BATCH + 3))
    assert sizes == [MOST_IN_A_BATCH, 3]
    assert [len(each) for each in found] == [1] * (MOST_IN_A_BATCH + 3)


def test_a_fixed_batch_is_filled_up_and_the_rest_of_its_output_ignored() -> None:
    def forward(blob: np.ndarray) -> np.ndarray:
        assert blob.shape == (4, 3, 32, 32)
        return np.tile(np.array([[16], [16], [8], [8], [0.9]], np.float32), (4, 1, 1))

    frame = np.zeros((64, 64, 3), np.uint8)
    regions = [Region.whole(frame), Region(3, 3, 3, 3), *[Region.whole(frame)] * 4]
    found = Squares(32, 4, Thresholds(0.5, 0.5)).detect(forward, frame, regions)
    assert [len(each) for each in found] == [1, 0, 1, 1, 1, 1]


def test_there_is_always_a_core() -> None:
    assert usable_cores() >= 1


def renamed(weights: Path, names: str | None, path: Path) -> Path:
    """Write a copy of a model whose metadata names other classes, or none."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(weights))
    kept = [entry for entry in model.metadata_props if entry.key != "names"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    if names is not None:
        model.metadata_props.add(key="names", value=names)
    onnx.save(model, str(path))
    return path


@pytest.mark.materials
@pytest.mark.parametrize("names", [None, "plate", "{1: 'plate'}", "__import__('os')", "[" * 5000])
def test_a_model_that_names_no_classes_is_refused(names: str | None, plate_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="names no classes"):
        open_detector(renamed(plate_weights, names, tmp_path / "a.onnx"), 416, 0.25, 0.45)


@pytest.mark.materials
def test_a_model_that_puts_out_other_classes_than_it_names_is_not_opened(plate_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="puts out 5 rows, not a box and 2 classes"):
        open_detector(renamed(plate_weights, "{0: 'a', 1: 'b'}", tmp_path / "a.onnx"), 64, 0.25, 0.45)


@pytest.mark.materials
def test_every_exception_of_the_runtime_becomes_ours(plate_weights: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(plate_weights))
    next(node for node in model.graph.node if node.op_type == "Concat").attribute[0].i = 7
    onnx.save(model, str(tmp_path / "a.onnx"))
    with pytest.raises(WeightsError, match="not a model that can be run"):
        open_detector(tmp_path / "a.onnx", 64, 0.25, 0.45)
    state = pytest.importorskip("onnxruntime.capi.onnxruntime_pybind11_state")
    assert {state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.RuntimeException} <= set(runtime_errors())
