"""A real artifact judged beside its baseline: what its passport says afterwards, and what never changes."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from platefleet.models.acceptance.acceptance import accept, baseline_of
from platefleet.models.acceptance.dataset import Dataset, load_dataset, pooled
from platefleet.models.acceptance.measured import Measured
from platefleet.models.artifacts.activation import activated
from platefleet.models.artifacts.opening import unwarmed
from platefleet.models.artifacts.passport import Recipe, Verdict
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.errors import ArtifactError
from tests.artifact_stores import Built, photo_folder, placed
from tests.broken_models import scaled

pytestmark = pytest.mark.materials


def test_int8_is_judged_in_one_run_with_its_baseline_and_its_passport_says_how(
    built: Built, store: ArtifactStore, photos: Dataset
) -> None:
    told: list[str] = []
    judged = accept(store, built.int8, photos, threshold=0.25, tell=lambda step, _: told.append(step))
    kept = store.passport("plate", built.int8.key)
    assert judged.passport == kept
    verdict = kept.verdict
    assert verdict.judged in {"undecided", "rejected"}  # eight plates prove nothing; whether it is faster is the CPU's
    assert (verdict.baseline, verdict.evaluation) == (built.baseline.key, photos.digest)
    assert verdict.numbers["cases"] == 8
    assert verdict.numbers["lost"] <= 1
    assert 0.3 < verdict.numbers["map_50_95"] <= 1
    assert verdict.threshold is not None
    assert abs(verdict.threshold - 0.25) <= 0.02
    assert kept.latency[0].timed == 8
    assert kept.latency[0].p50 <= kept.latency[0].p90 <= kept.latency[0].p99
    assert "measuring 8/8" in told
    (file,) = store.home(kept).glob("measured-*")
    measured = Measured.load(file.read_bytes(), str(file))
    assert (measured.key, measured.evaluation, measured.count) == (kept.key, photos.digest, 8)


def test_a_broken_artifact_is_rejected_by_name_of_the_reason_never_runs_and_may_be_judged_again(
    built: Built, store: ArtifactStore, photos: Dataset, plate_weights: Path, tmp_path: Path
) -> None:
    recipe = built.baseline.recipe.model_copy(update={"precision": "fp16"})
    broken = placed(store, recipe, scaled(plate_weights, tmp_path / "scaled.onnx"))
    judged = accept(store, broken, photos, threshold=0.25, worst=tmp_path / "worst", warm=unwarmed)
    assert judged.passport.verdict.judged == "rejected"
    assert judged.passport.verdict.reason == "8 of 8 plates lost, surely more than 1.0%"
    assert len(list((tmp_path / "worst").glob("lost-*.jpg"))) == 8
    with pytest.raises(ArtifactError, match="was rejected"):
        activated(None, judged.passport, undecided_named=True)
    again = accept(store, judged.passport, photos, threshold=0.25, warm=unwarmed)
    assert again.passport.verdict.judged == "rejected"


def test_without_labels_it_is_judged_by_agreement_and_that_is_said(
    built: Built, store: ArtifactStore, barrier_photos: tuple[Path, ...], tmp_path: Path
) -> None:
    frames = load_dataset(photo_folder(barrier_photos[10:13], tmp_path / "frames", labels=False))
    judged = accept(store, built.int8, frames, threshold=0.25, warm=unwarmed)
    assert judged.passport.verdict.numbers["cases"] == 3
    assert "nobody labelled: judged by agreement with plate/onnx/fp32" in judged.lines[0]


def own_frames(photos: tuple[Path, ...], folder: Path, day: str = "2026-11-24") -> Dataset:
    """Photos as an agent keeps its frames."""
    folder.mkdir()
    for number, photo in enumerate(photos):
        cv2.imwrite(str(folder / f"{day}T11-00-{number:02}.123Z_entry_plate.jpg"), cv2.imread(str(photo)))
    return load_dataset(folder)


def test_own_frames_count_by_agreement_beside_labelled_ones(
    built: Built, store: ArtifactStore, barrier_photos: tuple[Path, ...], tmp_path: Path
) -> None:
    labelled = load_dataset(photo_folder(barrier_photos[10:12], tmp_path / "frames"))
    own = own_frames(barrier_photos[12:15], tmp_path / "own")
    judged = accept(store, built.int8, pooled(labelled, own), threshold=0.25, warm=unwarmed)
    numbers = judged.passport.verdict.numbers
    assert (numbers["cases"], numbers["own_cases"], numbers["labelled"]) == (5, 3, 1)
    title = built.baseline.title
    assert judged.lines[0] == f"frames: 5 of 5, 2 plates; and 3 that {title} finds in 3 own frames"
    assert judged.passport.verdict.evaluation not in {labelled.digest, own.digest}


def test_own_frames_of_a_calibration_day_judge_nothing(
    built: Built, store: ArtifactStore, barrier_photos: tuple[Path, ...], tmp_path: Path
) -> None:
    frames = own_frames(barrier_photos[12:13], tmp_path / "own", day="2026-11-23")
    with pytest.raises(ArtifactError, match=r"1 of these pictures are own frames of days that are not for evaluation"):
        accept(store, built.int8, frames, threshold=0.25, warm=unwarmed)


def test_a_baseline_is_measured_alone_and_stays_one(
    built: Built, store: ArtifactStore, barrier_photos: tuple[Path, ...], tmp_path: Path
) -> None:
    frames = load_dataset(photo_folder(barrier_photos[10:12], tmp_path / "frames"))
    judged = accept(store, built.baseline, frames, threshold=0.25, warm=unwarmed)
    assert (judged.passport.verdict.judged, judged.passport.verdict.reason) == ("baseline", "2 plates found")
    assert judged.passport.verdict.numbers["recall"] == 1
    assert activated(None, judged.passport).key == built.baseline.key


def test_an_int8_artifact_is_not_judged_on_what_it_was_calibrated_on(
    built: Built, store: ArtifactStore, barrier_photos: tuple[Path, ...], tmp_path: Path
) -> None:
    frames = load_dataset(photo_folder(barrier_photos[2:5], tmp_path / "frames"))
    with pytest.raises(ArtifactError, match="was calibrated on 1 of these pictures"):
        accept(store, built.int8, frames, threshold=0.25, warm=unwarmed)


def test_a_baseline_that_is_not_there_is_built(built: Built, tmp_path: Path, plate_weights: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    store.add_source("plate", plate_weights)
    alone = placed(store, built.int8.recipe, built.store.model(built.int8))
    made = baseline_of(store, alone, lambda _step, _share: None)
    assert (made.key, made.files) == (built.baseline.key, built.baseline.files)
    assert baseline_of(store, alone, lambda _step, _share: None) == made


def test_an_evaluation_that_is_stopped_leaves_the_verdict_as_it_was(
    built: Built, store: ArtifactStore, photos: Dataset
) -> None:
    before = store.passport("plate", built.int8.key)
    with pytest.raises(ArtifactError, match="was stopped"):
        accept(store, built.int8, photos, threshold=0.25, stopping=lambda: True, warm=unwarmed)
    assert store.passport("plate", built.int8.key) == before


def test_a_plate_model_is_shown_the_vehicles_where_the_store_has_a_model_that_finds_them(
    built: Built, store: ArtifactStore, barrier_photos: tuple[Path, ...], vehicle_weights: Path, tmp_path: Path
) -> None:
    source = store.add_source("vehicle", vehicle_weights)
    recipe = Recipe(role="vehicle", source=source, format="onnx", precision="fp32", size=640, batch=None)
    stage = placed(store, recipe, vehicle_weights)
    store.update("vehicle", stage.key, lambda each: each.model_copy(update={"verdict": built.baseline.verdict}))
    frames = load_dataset(photo_folder(barrier_photos[10:12], tmp_path / "frames"))
    told: list[str] = []
    judged = accept(store, built.int8, frames, threshold=0.25, tell=lambda step, _: told.append(step), warm=unwarmed)
    assert "finding vehicles 2/2" in told
    assert judged.passport.verdict.numbers["cases"] == 2


def test_a_reader_is_judged_by_the_texts_that_change(
    store: ArtifactStore, reader_weights: Path, barrier_photos: tuple[Path, ...], tmp_path: Path
) -> None:
    frames = load_dataset(photo_folder(barrier_photos[10:13], tmp_path / "frames"))
    source = store.add_source("reader", reader_weights)
    recipe = Recipe(role="reader", source=source, format="onnx", precision="fp32", size=320, batch=None)
    same = placed(store, recipe, reader_weights)
    store.update("reader", same.key, lambda each: each.model_copy(update={"verdict": Verdict(judged="baseline")}))
    broken = placed(
        store, recipe.model_copy(update={"precision": "fp16"}), scaled(reader_weights, tmp_path / "scaled.onnx", 0.3)
    )
    judged = accept(store, broken, frames, threshold=0.25, warm=unwarmed)
    assert judged.passport.verdict.judged == "rejected"
    assert "3 of 3 readings lost" in judged.passport.verdict.reason
    assert judged.metrics["before"] == {"read_right": 1.0, "texts_changed": 0.0}
    assert judged.metrics["now"] == {"read_right": 0.0, "texts_changed": 3.0}
    assert judged.passport.verdict.threshold is None
