"""Artifacts side by side: a row for each with its accuracy, none without, and the references of the same run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from platefleet.models.acceptance.acceptance import accept
from platefleet.models.acceptance.dataset import Dataset, load_dataset
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.opening import unwarmed
from platefleet.models.artifacts.passport import Recipe, Verdict
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.bench.artifacts import bench, measurable, plain, slows, warmed
from platefleet.models.bench.plot import png, told
from platefleet.models.bench.references import raw_session, references_of
from platefleet.models.bench.runners import Given, pictures
from platefleet.models.build.run import Order, build
from platefleet.models.errors import ArtifactError
from tests.artifact_stores import Built, photo_folder

pytestmark = pytest.mark.materials
SEEN = {"map_50_95": 0.5, "map_50": 0.9, "recall": 1.0, "labelled": 1.0, "cases": 18.0}


def measured(store: ArtifactStore, key: str) -> None:
    store.update(
        "plate", key, lambda each: each.model_copy(update={"verdict": Verdict(judged="accepted", numbers=SEEN)})
    )


def test_an_artifact_without_accuracy_is_named_and_left_out(store: ArtifactStore, built: Built) -> None:
    good, left_out = measurable(store.passports("plate"))
    assert good == []
    assert [each.split(":")[1] for each in left_out] == [
        f" its accuracy was not measured; `models evaluate {passport.key[:8]}` does"
        for passport in store.passports("plate")
    ]
    with pytest.raises(ArtifactError, match="its accuracy was not measured"):
        bench(store, store.passports("plate"), [Given(np.zeros((9, 9, 3), np.uint8))], warm=unwarmed)
    measured(store, built.int8.key)
    assert [each.key for each in measurable(store.passports("plate"))[0]] == [built.int8.key]


def test_each_row_has_its_stages_throughput_memory_and_accuracy(
    store: ArtifactStore, built: Built, photos: Dataset
) -> None:
    for passport in (built.baseline, built.int8):
        measured(store, passport.key)
    model, key = store.model(built.baseline), built.baseline.key
    beside = [raw_session(model, 416, key), raw_session(model, 416, key, defaults=True)]
    frames = pictures(store, "plate", photos, 8)
    result = bench(
        store,
        store.passports("plate"),
        frames,
        references=beside,
        rounds=4,
        warm_ups=2,
        batches=(1, 2),
        warm=unwarmed,
    )
    ours, small, by_hand, with_defaults = result.rows
    assert with_defaults.name == "ONNX Runtime by hand, its own options"
    assert (ours.key, small.key, by_hand.name) == (built.baseline.key, built.int8.key, "ONNX Runtime by hand")
    for row in (ours, small):
        for stage in (row.pre, row.inference, row.post):
            assert stage is not None
            assert 0 < stage.p50 < row.total.p99
        assert set(row.per_s) == set(row.calls) == {1, 2}
        for many, call in row.calls.items():
            assert 0 < call.p50 <= call.p90 <= call.p99
            assert row.per_s[many] == pytest.approx(1000 * many / call.p50, abs=0.01)
        assert row.accuracy == {name: value for name, value in SEEN.items() if name != "cases"}
        assert row.verdict == "accepted"
    assert set(ours.times) == {"ONNX Runtime by hand", "ONNX Runtime by hand, its own options"}
    assert small.times == {}
    assert by_hand.accuracy == {}
    assert json.loads(json.dumps(plain(result)))["rows"][0]["total"]["p50"] == ours.total.p50
    assert png(result, "plate").startswith(b"\x89PNG")
    assert told(ours) == "mAP 0.500, recall 100.0%, accepted"
    assert told(by_hand) == "time alone"


def test_a_reader_has_its_texts_beside_its_times(
    store: ArtifactStore, reader_weights: Path, barrier_photos: tuple[Path, ...], tmp_path: Path
) -> None:
    source = store.add_source("reader", reader_weights)
    recipe = Recipe(role="reader", source=source, format="onnx", precision="fp32", size=320, batch=None)
    baseline = build(store, Order(recipe), machine=machine())
    fixed = build(store, Order(recipe.model_copy(update={"batch": 2})), machine=machine())
    frames = load_dataset(photo_folder(barrier_photos[10:13], tmp_path / "frames"))
    for each in (baseline, fixed):
        accept(store, each, frames, threshold=0.25, warm=unwarmed)
    shown = pictures(store, "reader", frames, 2)
    assert [len(each.boxes) for each in shown] == [1, 1]
    result = bench(
        store, store.passports("reader"), shown, references=references_of(store, fixed), rounds=3, warm_ups=1,
        batches=(1, 3), warm=unwarmed,
    )  # fmt: skip
    own, other, by_hand = result.rows
    assert result.left_out == ()
    assert (own.key, other.key, by_hand.name) == (baseline.key, fixed.key, "ONNX Runtime by hand")
    for row in (own, other):
        assert row.inference is not None
        assert 0 < row.inference.p50 < row.total.p99
        assert set(row.calls) == {1, 3}
        assert {"read_right", "texts_changed", "labelled"} <= row.accuracy.keys()
    assert (own.accuracy["read_right"], own.accuracy["texts_changed"]) == (1.0, 0.0)
    assert told(own) == "read right 100.0%, 0 texts changed (agreement), baseline"
    assert set(other.times) == {"ONNX Runtime by hand"}


def test_a_benchmark_that_is_stopped_keeps_nothing(store: ArtifactStore, built: Built, photos: Dataset) -> None:
    measured(store, built.int8.key)
    with pytest.raises(ArtifactError, match="was stopped"):
        bench(
            store,
            [store.passport("plate", built.int8.key)],
            pictures(store, "plate", photos, 1),
            stopping=lambda: True,
            warm=unwarmed,
        )


def test_a_machine_that_grows_slower_and_a_runtime_that_warms_up_are_noticed() -> None:
    warm, total = [90.0, 30.0, 12.0, *[10.0] * 17], [*[10.0] * 10, *[11.0] * 10, *[13.0] * 10]
    assert warmed(warm, total) == 2
    assert slows(total) == 1.3
    assert slows([10.0] * 30) == 1.0
