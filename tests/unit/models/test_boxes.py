from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.models.boxes import area, cover, intersection, iou

corners = st.lists(st.tuples(*[st.integers(-50, 50)] * 4), max_size=6)


def boxes(values: list[tuple[int, ...]]) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 4)


@given(corners, corners)
def test_overlap_is_a_share_and_the_same_from_both_sides(a: list[tuple[int, ...]], b: list[tuple[int, ...]]) -> None:
    share = iou(boxes(a), boxes(b))
    assert share.shape == (len(a), len(b))
    assert share.dtype == np.float32
    assert ((share >= 0) & (share <= 1)).all()
    np.testing.assert_array_equal(share, iou(boxes(b), boxes(a)).T)


@given(corners, corners)
def test_no_box_shares_more_than_it_has(a: list[tuple[int, ...]], b: list[tuple[int, ...]]) -> None:
    assert (intersection(boxes(a), boxes(b)) <= area(boxes(a))[:, None]).all()
    assert (cover(boxes(a), boxes(b)) <= 1).all()


def test_a_box_with_area_overlaps_itself_wholly() -> None:
    one = boxes([(3, 4, 8, 9)])
    assert iou(one, one)[0, 0] == 1


@pytest.mark.reference
@settings(max_examples=50, deadline=None)
@given(corners, corners)
def test_overlap_equals_the_reference_for_boxes_with_area(a: list[tuple[int, ...]], b: list[tuple[int, ...]]) -> None:
    torch = pytest.importorskip("torch")
    box_iou = pytest.importorskip("torchvision.ops").box_iou

    def proper(values: list[tuple[int, ...]]) -> np.ndarray:
        raw = boxes(values)
        return np.concatenate([raw[:, :2], raw[:, :2] + np.abs(raw[:, 2:]) + 1], axis=1)

    theirs = box_iou(torch.from_numpy(proper(a)), torch.from_numpy(proper(b))).numpy()
    np.testing.assert_array_equal(iou(proper(a), proper(b)), theirs)
