"""What every detector promises, whatever runs it: a fake, ONNX Runtime with a free or a fixed batch, ultralytics."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from platefleet.models.backends import open_detector
from platefleet.models.detections import Detections, Frame, Region
from platefleet.models.pinned import PLATE
from platefleet.models.ports import Detector
from platefleet.protocol.errors import ModelError
from tests.fake_detector import FakeDetector

CONFIDENCE = 0.1
MOST_PIXELS = 1e-2
"""By which a region's boxes may differ between a batch and alone: float32 sums in another order."""


@pytest.fixture(
    params=[
        "fake",
        pytest.param("onnx, any batch", marks=pytest.mark.materials),
        pytest.param("onnx, batch 1", marks=pytest.mark.materials),
        pytest.param("pt", marks=[pytest.mark.materials, pytest.mark.reference]),
    ],
    scope="module",
)
def detector(request: pytest.FixtureRequest) -> Iterator[Detector]:
    opened: Detector
    match request.param:
        case "fake":
            opened = FakeDetector()
        case "onnx, any batch":
            opened = open_detector(request.getfixturevalue("plate_weights"), 416, CONFIDENCE, 0.45)
        case "onnx, batch 1":
            opened = open_detector(request.getfixturevalue("vehicle_weights"), 640, CONFIDENCE, 0.45)
        case _:
            pytest.importorskip("ultralytics")
            path: Path = request.getfixturevalue("plate_checkpoint")
            opened = open_detector(path, 416, CONFIDENCE, 0.45, sha256=PLATE.members[0].sha256)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def frame(detector: Detector, request: pytest.FixtureRequest) -> Frame:
    """A picture in which each of them finds something."""
    if isinstance(detector, FakeDetector):
        picture = np.full((285, 380, 3), 90, np.uint8)
        picture[125:155, 190:265] = (0, 0, 255)
        return picture
    photo = cv2.imread(str(request.getfixturevalue("barrier_photos")[0]))
    assert photo is not None
    return photo.astype(np.uint8, copy=False)


REGIONS = [Region(0, 0, 380, 285), Region(5, 5, 5, 100), Region(60, 40, 371, 283), Region(171, 111, 300, 170)]


def same(a: Detections, b: Detections) -> bool:
    if len(a) != len(b) or a.classes.tolist() != b.classes.tolist():
        return False
    pixels = np.abs(a.boxes - b.boxes).max(initial=0)
    return bool(pixels < MOST_PIXELS and np.abs(a.confidences - b.confidences).max(initial=0) < 1e-4)


def test_it_finds_something_to_judge_it_by(detector: Detector, frame: Frame) -> None:
    assert len(detector.detect(frame, [Region.whole(frame)])[0]) >= 1


def test_each_region_has_its_detections_in_order(detector: Detector, frame: Frame) -> None:
    together = detector.detect(frame, REGIONS)
    assert len(together) == len(REGIONS)
    for region, found in zip(REGIONS, together, strict=True):
        assert same(found, detector.detect(frame, [region])[0])


def test_boxes_lie_in_their_region_best_first_above_the_threshold(detector: Detector, frame: Frame) -> None:
    for region, found in zip(REGIONS, detector.detect(frame, REGIONS), strict=True):
        corner = [region.x1, region.y1]
        assert (found.boxes[:, :2] >= corner).all()
        assert (found.boxes[:, :2] <= found.boxes[:, 2:]).all()
        assert (found.boxes[:, 2:] <= [region.x2, region.y2]).all()
        assert (np.diff(found.confidences) <= 0).all()
        assert ((found.confidences > CONFIDENCE) & (found.confidences <= 1)).all()
        assert ((found.classes >= 0) & (found.classes < len(detector.classes))).all()


def test_no_regions_give_an_empty_list(detector: Detector, frame: Frame) -> None:
    assert detector.detect(frame, []) == []


@pytest.mark.parametrize("shape", [(0, 0, 3), (0, 40, 3), (40, 0, 3)])
def test_a_frame_without_a_pixel_gives_no_detections(detector: Detector, shape: tuple[int, ...]) -> None:
    nothing = np.zeros(shape, np.uint8)
    assert [len(found) for found in detector.detect(nothing, [Region.whole(nothing), Region(0, 0, 9, 9)])] == [0, 0]


def test_a_region_without_a_pixel_gives_no_detections(detector: Detector, frame: Frame) -> None:
    regions = [Region(7, 7, 7, 7), Region(50, 50, 20, 20), Region(9000, 9000, 9100, 9100), Region(-90, -90, -5, -5)]
    assert [len(found) for found in detector.detect(frame, regions)] == [0, 0, 0, 0]


def test_what_of_a_region_lies_outside_the_frame_is_cut_off(detector: Detector, frame: Frame) -> None:
    beyond, whole = detector.detect(frame, [Region(-50, -60, 9000, 8000), Region.whole(frame)])
    assert same(beyond, whole)


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (33, 17), (37, 2000), (2000, 37)])
def test_frames_of_odd_shapes_are_taken(detector: Detector, shape: tuple[int, int]) -> None:
    odd = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert len(detector.detect(odd, [Region.whole(odd)])) == 1


def test_the_frame_is_not_changed_and_may_be_read_only(detector: Detector, frame: Frame) -> None:
    kept = frame.copy()
    kept.flags.writeable = False
    detector.detect(kept, REGIONS)
    np.testing.assert_array_equal(kept, frame)


def test_detections_stay_as_they_are_when_the_next_frame_is_looked_at(detector: Detector, frame: Frame) -> None:
    first = detector.detect(frame, [Region.whole(frame)])[0]
    boxes, confidences = first.boxes.copy(), first.confidences.copy()
    detector.detect(np.zeros_like(frame), REGIONS)
    gc.collect()
    np.testing.assert_array_equal(first.boxes, boxes)
    np.testing.assert_array_equal(first.confidences, confidences)


def test_classes_have_names(detector: Detector) -> None:
    assert detector.classes
    assert all(name.strip() for name in detector.classes)


def test_a_closed_detector_says_so_and_closes_again(detector: Detector, frame: Frame) -> None:
    detector.close()
    detector.close()
    with pytest.raises(ModelError, match="closed"):
        detector.detect(frame, [Region.whole(frame)])
