from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.models.decode import decode
from platefleet.models.detections import Detections
from platefleet.models.nms import MOST_DETECTIONS, suppress

Output = np.ndarray[Any, np.dtype[np.float32]]


def an_output(seed: int, classes: int, anchors: int, *, coarse: bool) -> Output:
    """Boxes in clusters, many overlapping about as much as any threshold; coarse ones also tie."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-20, 660, (2, max(1, anchors // 8)))
    boxes = centres[:, rng.integers(0, centres.shape[1], anchors)] + rng.normal(0, 12, (2, anchors))
    sides = rng.uniform(0, 120, (2, anchors))
    scores = rng.beta(0.4, 1.2, (classes, anchors))
    output = np.concatenate([boxes, sides, scores])
    if coarse:
        output[:4] = np.round(output[:4] / 8) * 8
        output[4:] = np.round(output[4:], 1)
    return np.ascontiguousarray(output, np.float32)


def ours(output: Output, confidence: float, iou: float, classes: list[int] | None, *, agnostic: bool) -> Output:
    kept = suppress(decode(output, confidence, classes), iou, agnostic=agnostic)
    return np.concatenate([kept.boxes, kept.confidences[:, None], kept.classes[:, None]], axis=1, dtype=np.float32)


def theirs(output: Output, confidence: float, iou: float, classes: list[int] | None, *, agnostic: bool) -> Output:
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchvision")  # the reference takes torchvision's suppression if it is loaded
    non_max_suppression = pytest.importorskip("ultralytics.utils.nms").non_max_suppression
    prediction = torch.from_numpy(output.copy()[None])
    kept: Output = non_max_suppression(prediction, confidence, iou, classes, agnostic)[0].numpy()
    return kept


@pytest.mark.reference
@settings(max_examples=250, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    classes=st.sampled_from([1, 2, 80]),
    anchors=st.sampled_from([0, 1, 7, 100, 1200]),
    confidence=st.sampled_from([0.0, 0.001, 0.1, 0.25, 0.7, 1.0]),
    iou=st.sampled_from([0.0, 0.1, 0.45, 0.5, 0.7, 1.0]),
    some=st.booleans(),
    agnostic=st.booleans(),
    coarse=st.booleans(),
)
def test_decoding_and_suppression_equal_the_reference(
    *, seed: int, classes: int, anchors: int, confidence: float, iou: float, some: bool, agnostic: bool, coarse: bool
) -> None:
    output = an_output(seed, classes, anchors, coarse=coarse)
    wanted = [0, classes - 1] if some else None
    np.testing.assert_array_equal(
        ours(output, confidence, iou, wanted, agnostic=agnostic),
        theirs(output, confidence, iou, wanted, agnostic=agnostic),
    )


def test_a_box_is_not_kept_for_its_second_best_class() -> None:
    output = np.array([[10], [10], [4], [4], [0.9], [0.8]], np.float32)
    assert len(decode(output, 0.5, classes=[1])) == 0


def test_a_confidence_at_the_threshold_is_not_above_it() -> None:
    output = np.array([[10], [10], [4], [4], [0.5]], np.float32)
    assert len(decode(output, 0.5)) == 0


def test_confidences_that_are_no_numbers_are_no_detections() -> None:
    output = np.full((5, 3), np.nan, np.float32)
    assert len(decode(output, 0.1)) == 0


@pytest.mark.parametrize("shape", [(4, 10), (2, 5, 10), (10,), (1, 1, 5, 10)])
def test_an_output_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="output"):
        decode(np.zeros(shape, np.float32), 0.5)


def test_what_was_decoded_does_not_change_with_the_buffer_it_came_from() -> None:
    output = np.array([[10], [10], [4], [4], [0.9]], np.float32)
    found = decode(output, 0.5)
    output[:] = 0
    np.testing.assert_array_equal(found.boxes, [[8, 8, 12, 12]])
    np.testing.assert_array_equal(found.confidences, np.array([0.9], np.float32))


def test_boxes_of_two_classes_suppress_each_other_only_when_asked() -> None:
    boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 9]], np.float32)
    found = Detections(boxes, np.array([0.5, 0.6], np.float32), np.array([0, 1], np.int32))
    assert suppress(found, 0.5).classes.tolist() == [1, 0]
    assert suppress(found, 0.5, agnostic=True).classes.tolist() == [1]


def test_boxes_without_area_suppress_nothing() -> None:
    found = Detections(np.zeros((3, 4), np.float32), np.full(3, 0.5, np.float32), np.zeros(3, np.int32))
    assert len(suppress(found, 0.5)) == 3


def test_no_more_than_the_limit_is_kept_and_those_are_the_best() -> None:
    n = MOST_DETECTIONS + 50
    corners = np.arange(n, dtype=np.float32)[:, None] * 20 + np.array([0, 0, 9, 9], np.float32)
    found = Detections(corners, np.linspace(0.1, 0.9, n, dtype=np.float32), np.zeros(n, np.int32))
    kept = suppress(found, 0.5)
    assert len(kept) == MOST_DETECTIONS
    assert kept.confidences[0] == np.float32(0.9)
    assert (np.diff(kept.confidences) < 0).all()


def test_no_detections_stay_none() -> None:
    assert len(suppress(Detections.empty(), 0.5)) == 0
