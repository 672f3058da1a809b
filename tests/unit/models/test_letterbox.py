from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.models.detections import Region
from platefleet.models.letterbox import letterbox, to_frame, within

sides = st.one_of(st.integers(1, 12), st.integers(1, 900))
sizes = st.sampled_from([32, 416, 640])
seeds = st.integers(0, 2**32 - 1)


def a_frame(height: int, width: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def by_ultralytics(picture: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    """As `BasePredictor.preprocess` does it for a fixed square."""
    torch = pytest.importorskip("torch")
    augment = pytest.importorskip("ultralytics.data.augment")
    boxed = np.stack([augment.LetterBox((size, size), auto=False, scaleup=True)(image=np.ascontiguousarray(picture))])
    tensor = torch.from_numpy(np.ascontiguousarray(boxed[..., ::-1].transpose(0, 3, 1, 2))).float()
    tensor /= 255
    blob: np.ndarray[Any, Any] = tensor.numpy()
    return blob


@pytest.mark.reference
@settings(max_examples=120, deadline=None)
@given(sides, sides, sizes, seeds)
def test_a_letterboxed_frame_equals_the_reference_bit_for_bit(height: int, width: int, size: int, seed: int) -> None:
    frame = a_frame(height, width, seed)
    ours = letterbox(frame, [Region.whole(frame)], size)
    np.testing.assert_array_equal(ours, by_ultralytics(frame, size))


@pytest.mark.reference
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_regions_of_one_frame_equal_the_reference_on_each_cut_out(data: st.DataObject) -> None:
    frame = a_frame(300, 500, data.draw(seeds))
    regions = []
    for _ in range(data.draw(st.integers(0, 4))):
        x1, y1 = data.draw(st.integers(0, 499)), data.draw(st.integers(0, 299))
        regions.append(Region(x1, y1, data.draw(st.integers(x1 + 1, 500)), data.draw(st.integers(y1 + 1, 300))))
    used = np.full((5, 3, 416, 416), np.nan, np.float32)
    ours = letterbox(frame, regions, 416, used)
    assert ours.shape == (len(regions), 3, 416, 416)
    for square, region in zip(ours, regions, strict=True):
        cut = frame[region.y1 : region.y2, region.x1 : region.x2]
        np.testing.assert_array_equal(square, by_ultralytics(cut, 416)[0])


@pytest.mark.reference
@settings(max_examples=200, deadline=None)
@given(sides, sides, sizes, seeds)
def test_boxes_map_back_as_the_reference_maps_them(height: int, width: int, size: int, seed: int) -> None:
    torch = pytest.importorskip("torch")
    scale_boxes = pytest.importorskip("ultralytics.utils.ops").scale_boxes
    boxes = np.random.default_rng(seed).uniform(-50, size + 50, (20, 4)).astype(np.float32)
    theirs = scale_boxes((size, size), torch.from_numpy(boxes.copy()), (height, width)).numpy()
    np.testing.assert_array_equal(to_frame(boxes, Region(0, 0, width, height), size), theirs)


def test_a_region_on_the_border_maps_back_into_itself() -> None:
    region = Region(1900, 1000, 1920, 1080)
    boxes = to_frame(np.array([[-9, -9, 999, 999]], np.float32), region, 416)
    np.testing.assert_array_equal(boxes, [[1900, 1000, 1920, 1080]])


def test_no_boxes_map_to_no_boxes() -> None:
    assert to_frame(np.zeros((0, 4), np.float32), Region(0, 0, 5, 5), 416).shape == (0, 4)


def test_no_regions_give_no_squares() -> None:
    assert letterbox(a_frame(5, 5), [], 416).shape == (0, 3, 416, 416)


@pytest.mark.parametrize("region", [Region(2, 2, 2, 9), Region(5, 5, 3, 3), Region(-1, 0, 4, 4), Region(0, 0, 6, 4)])
def test_a_region_without_a_pixel_or_outside_the_frame_is_refused(region: Region) -> None:
    with pytest.raises(ValueError, match="region"):
        letterbox(a_frame(5, 5), [region], 32)


def test_a_buffer_that_does_not_fit_is_refused() -> None:
    frame = a_frame(5, 5)
    with pytest.raises(ValueError, match="do not fit"):
        letterbox(frame, [Region.whole(frame)], 32, np.zeros((1, 3, 64, 64), np.float32))


def test_the_frame_is_not_changed_when_it_needs_no_scaling() -> None:
    frame = a_frame(32, 32)
    before = frame.copy()
    letterbox(frame, [Region.whole(frame)], 32)[:] = 0
    np.testing.assert_array_equal(frame, before)


def test_what_lies_outside_the_frame_is_cut_off() -> None:
    frame = a_frame(10, 20)
    assert within(Region(-4, -4, 99, 99), frame) == Region.whole(frame)
    assert not all(within(Region(30, 0, 40, 5), frame).shape)
