"""Real models on real photos, measured and judged: equals are accepted, broken ones rejected by name of the reason."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from platefleet.models.acceptance.dataset import Dataset, load_dataset
from platefleet.models.acceptance.evaluate import evaluate
from platefleet.models.acceptance.measured import LEAST_CONFIDENCE, Measured
from platefleet.models.acceptance.metrics import metrics
from platefleet.models.acceptance.verdict import FP16, compare, judge
from platefleet.models.backends import open_detector
from tests.broken_models import scaled

pytestmark = pytest.mark.materials


@pytest.fixture(scope="module")
def photos(barrier_photos: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("photos")
    for path in barrier_photos:
        shutil.copy(path, folder)
        shutil.copy(path.with_suffix(".txt"), folder)
    return load_dataset(folder)


def measured(weights: Path, photos: Dataset, key: str) -> Measured:
    detector = open_detector(weights, 416, LEAST_CONFIDENCE, 0.45)
    try:
        return evaluate(detector, photos, key)
    finally:
        detector.close()


@pytest.fixture(scope="module")
def baseline(plate_weights: Path, photos: Dataset) -> Measured:
    return measured(plate_weights, photos, "baseline")


def test_the_plate_model_finds_every_plate_of_the_barrier_photos(baseline: Measured, photos: Dataset) -> None:
    truths = photos.truths(["license_plate"])
    assert truths is not None
    seen = metrics(baseline, truths, 0.25)
    assert seen.recall == 1.0
    assert seen.map_50 > 0.95
    assert 0.5 < seen.map_50_95 <= seen.map_50


def test_the_same_model_faster_is_undecided_on_18_photos_because_they_are_too_few(
    baseline: Measured, photos: Dataset
) -> None:
    faster = replace(baseline, key="faster", ms=baseline.ms / 2)
    verdict = judge(compare(baseline, faster, photos.truths(["license_plate"]), 0.25), FP16)
    assert (verdict.judged, verdict.frames_more, verdict.threshold) == ("undecided", 281, 0.25)


def test_scaled_weights_are_rejected_for_what_they_lose(
    baseline: Measured, plate_weights: Path, photos: Dataset, tmp_path: Path
) -> None:
    candidate = measured(scaled(plate_weights, tmp_path / "scaled.onnx"), photos, "scaled")
    verdict = judge(compare(baseline, replace(candidate, ms=baseline.ms / 2), None, 0.25), FP16)
    assert verdict.judged == "rejected"
    assert "plates lost, surely more than 1.0%" in verdict.reason


def test_a_measurement_that_is_stopped_is_not_compared_with_a_whole_one(
    baseline: Measured, plate_weights: Path, photos: Dataset
) -> None:
    detector = open_detector(plate_weights, 416, LEAST_CONFIDENCE, 0.45)
    done: list[int] = []
    part = evaluate(detector, photos, "part", progress=lambda at, _: done.append(at), stopping=lambda: len(done) == 3)
    detector.close()
    assert (part.count, done) == (3, [1, 2, 3])
    assert part.evaluation != baseline.evaluation
