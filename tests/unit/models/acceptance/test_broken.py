"""Artifacts that are broken in the ways in which artifacts break: each is rejected, by name of the reason."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from platefleet.models.acceptance.acceptance import _rival, accept
from platefleet.models.acceptance.dataset import Dataset, load_dataset
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.opening import unwarmed
from platefleet.models.artifacts.passport import Machine, Recipe, Verdict
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.build.run import Order, build
from tests.artifact_stores import Built, placed

pytestmark = pytest.mark.materials
GRAY = 114 / 255


def shifted(weights: Path, target: Path, rows: int) -> Path:
    """Write a model that gets its picture as from a letterbox that pads below alone: everything lies `rows` higher."""
    model = onnx.load(str(weights))
    graph = model.graph
    given = graph.input[0].name
    for name, value in (
        ("shift_from", np.int64([rows])),
        ("shift_to", np.int64([1 << 30])),
        ("shift_axis", np.int64([2])),
        ("shift_pads", np.int64([0, 0, 0, 0, 0, 0, rows, 0])),
        ("shift_gray", np.float32(GRAY)),
    ):
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name == given:
                node.input[at] = "shifted"
    graph.node.insert(0, helper.make_node("Slice", [given, "shift_from", "shift_to", "shift_axis"], ["cut"]))
    graph.node.insert(1, helper.make_node("Pad", ["cut", "shift_pads", "shift_gray"], ["shifted"]))
    onnx.save(model, str(target))
    return target


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
    folder = tmp_path / "noise"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for number in range(2):
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 4, (416, 416, 3), dtype=np.uint8))
    recipe = built.int8.recipe.model_copy(update={"calibration": None})
    noisy = build(store, Order(recipe, load_dataset(folder)), machine=machine())
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
