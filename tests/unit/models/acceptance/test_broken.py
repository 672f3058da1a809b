"""Artifacts that are broken in the ways in which artifacts break: each is rejected, by name of the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from platefleet.models.acceptance.acceptance import _rival, accept
from platefleet.models.acceptance.dataset import Dataset, load_dataset
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.opening import unwarmed
from platefleet.models.artifacts.passport import Machine, Recipe, Verdict
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.build.run import Order, build
from tests.artifact_stores import Built, placed
from tests.broken_models import noise, shifted

pytestmark = pytest.mark.materials


def test_a_wrong_letterbox_is_rejected_though_every_plate_is_found_somewhere(
    built: Built, store: ArtifactStore, photos: Dataset, plate_weights: Path, tmp_path: Path
) -> None:
    recipe = built.baseline.recipe.model_copy(update={"precision": "fp16", "letterbox": 2})
    broken = placed(store, recipe, shifted(plate_weights, tmp_path / "shifted.onnx", 40))
    judged = accept(store, broken, photos, threshold=0.25, warm=unwarmed)
    assert judged.passport.verdict.judged == "rejected"
    assert judged.passport.verdict.reason == "8 of 8 plates lost, surely more than 1.0%"
    assert judged.passport.verdict.numbers["false_now"] >= 8  # where the plates would be under another letterbox


def test_int8_calibrated_on_the_noise_of_a_dark_camera_is_rejected(
    built: Built, store: ArtifactStore, photos: Dataset, tmp_path: Path
) -> None:
    recipe = built.int8.recipe.model_copy(update={"calibration": None})
    noisy = build(store, Order(recipe, load_dataset(noise(tmp_path / "noise"))), machine=machine())
    judged = accept(store, noisy, photos, threshold=0.25, warm=unwarmed)
    assert judged.passport.verdict.judged == "rejected"
    assert "plates lost, surely more than 3.0%" in judged.passport.verdict.reason


def test_int8_has_to_beat_an_fp16_that_runs_where_it_does(built: Built, store: ArtifactStore, tmp_path: Path) -> None:
    accepted = Verdict(judged="accepted")
    engine = Recipe.model_validate({**built.baseline.recipe.model_dump(), "format": "tensorrt", "precision": "fp16"})
    model = tmp_path / "any.engine"
    model.write_bytes(b"an engine's")
    fp16 = placed(store, engine, model, verdict=accepted)
    int8 = built.int8.model_copy(update={"machine": fp16.machine})
    assert _rival(store, int8) == fp16
    after_an_upgrade = built.int8.model_copy(update={"machine": Machine(cpu="a test's", tensorrt="10.3.0")})
    assert _rival(store, after_an_upgrade) is None
