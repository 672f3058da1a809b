"""The kernels' arithmetic against NumPy's and OpenCV's: the source that the GPU runs, here compiled for the CPU."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from platefleet.models.cuda.source import CANDIDATES, KEPT
from platefleet.models.decode import decode
from platefleet.models.detections import Detections, Region
from platefleet.models.letterbox import letterbox, to_frame
from platefleet.models.nms import suppress
from tests.kernels_on_cpu import KernelsOnCpu

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
ONE_LEVEL = 1.001 / 255


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> KernelsOnCpu:
    return KernelsOnCpu(tmp_path_factory.mktemp("kernels"))


@pytest.mark.parametrize("size", [416, 640])
@pytest.mark.parametrize(
    "shape", [(1080, 1920), (285, 380), (700, 517), (33, 17), (37, 2000), (1, 900), (900, 1), (1, 1)]
)
def test_a_square_is_the_letterboxed_one_within_a_level(
    kernels: KernelsOnCpu, shape: tuple[int, int], size: int
) -> None:
    frame = np.random.default_rng(3).integers(0, 256, (*shape, 3), dtype=np.uint8)
    ours, theirs = kernels.letterbox(frame, [Region.whole(frame)], size), letterbox(frame, [Region.whole(frame)], size)
    apart = np.abs(ours - theirs)
    assert apart.max() <= ONE_LEVEL
    assert (apart > 0).mean() < 0.01


def test_regions_of_one_frame_are_cut_scaled_down_and_kept_as_they_are(kernels: KernelsOnCpu) -> None:
    frame = np.random.default_rng(4).integers(0, 256, (900, 1300, 3), dtype=np.uint8)
    regions = [Region(0, 0, 416, 416), Region(101, 33, 933, 865), Region(899, 500, 1300, 900), Region(5, 7, 700, 31)]
    np.testing.assert_allclose(
        kernels.letterbox(frame, regions, 416), letterbox(frame, regions, 416), atol=ONE_LEVEL, rtol=0
    )


def by_numpy(
    output: NDArray[np.float32], region: Region, size: int, confidence: float, iou: float, **how: object
) -> Detections:
    kept = suppress(decode(output, confidence, how.get("classes")), iou, agnostic=bool(how.get("agnostic")))  # type: ignore[arg-type]
    return Detections(to_frame(kept.boxes, region, size), kept.confidences, kept.classes)


def an_output(seed: int, anchors: int, classes: int, *, levels: int = 40) -> NDArray[np.float32]:
    """Boxes that overlap much; few levels of confidence, so that many are equal."""
    rng = np.random.default_rng(seed)
    centre, sides = rng.uniform(0, 416, (2, anchors)), rng.uniform(0, 180, (2, anchors))
    scores = np.round(rng.uniform(0, 1, (classes, anchors)) ** 6 * levels) / levels
    return np.concatenate([centre, sides, scores])[None].astype(np.float32)


def assert_same(ours: Detections | None, theirs: Detections) -> None:
    assert ours is not None
    np.testing.assert_array_equal(ours.boxes, theirs.boxes)
    np.testing.assert_array_equal(ours.confidences, theirs.confidences)
    np.testing.assert_array_equal(ours.classes, theirs.classes)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    classes=st.integers(1, 6),
    limits=st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.99]), st.sampled_from([0.0, 0.3, 0.45, 0.7, 1.0])),
    how=st.tuples(st.booleans(), st.booleans()),
)
def test_what_is_found_is_numpys_to_the_bit(
    kernels: KernelsOnCpu, seed: int, classes: int, limits: tuple[float, float], how: tuple[bool, bool]
) -> None:
    region = Region(17, 40, 517, 333)
    agnostic, some = how
    wanted = tuple(range(0, classes, 2)) if some else None
    output = an_output(seed, 400, classes)
    (found,) = kernels.find(output, [region], 416, *limits, classes=wanted, agnostic=agnostic)
    assert_same(found, by_numpy(output, region, 416, *limits, classes=wanted, agnostic=agnostic))


def test_each_square_has_its_own(kernels: KernelsOnCpu) -> None:
    regions = [Region(0, 0, 1920, 1080), Region(3, 5, 90, 300), Region(400, 20, 816, 436)]
    output = np.concatenate([an_output(seed, 300, 3) for seed in (1, 2, 3)])
    output[1, 4:] = 0
    found = kernels.find(output, regions, 416, 0.25, 0.5)
    for one, own, region in zip(found, output, regions, strict=True):
        assert_same(one, by_numpy(own, region, 416, 0.25, 0.5))


def test_no_more_boxes_are_kept_than_numpy_keeps(kernels: KernelsOnCpu) -> None:
    output = an_output(5, CANDIDATES, 1)
    output[0, 2:4], output[0, 4] = 1, 0.5
    (found,) = kernels.find(output, [Region(0, 0, 416, 416)], 416, 0.25, 0.7)
    assert found is not None
    assert len(found) == KEPT
    assert_same(found, by_numpy(output, Region(0, 0, 416, 416), 416, 0.25, 0.7))


def test_a_confidence_that_is_no_number_is_not_kept(kernels: KernelsOnCpu) -> None:
    output = an_output(6, 50, 3)
    output[0, 4, :10], output[0, 6, 10:20] = np.nan, np.nan
    (found,) = kernels.find(output, [Region(0, 0, 416, 416)], 416, 0.1, 0.5)
    with np.errstate(invalid="ignore"):
        assert_same(found, by_numpy(output, Region(0, 0, 416, 416), 416, 0.1, 0.5))


def test_more_candidates_than_there_is_room_for_are_left_to_numpy(kernels: KernelsOnCpu) -> None:
    output = an_output(7, CANDIDATES + 1, 1)
    output[0, 4] = 0.9
    assert kernels.find(output, [Region(0, 0, 416, 416)], 416, 0.25, 0.5) == [None]
