"""Artifacts side by side: a row for each with its accuracy, none without, and the references of the same run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.artifacts.opening import unwarmed
from platefleet.models.artifacts.passport import Verdict
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.bench.artifacts import bench, measurable, plain, slows, warmed
from platefleet.models.bench.plot import png, told
from platefleet.models.bench.references import raw_session
from platefleet.models.errors import ArtifactError
from tests.artifact_stores import Built

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
        bench(store, store.passports("plate"), [np.zeros((9, 9, 3), np.uint8)], warm=unwarmed)
    measured(store, built.int8.key)
    assert [each.key for each in measurable(store.passports("plate"))[0]] == [built.int8.key]


def test_each_row_has_its_stages_throughput_memory_and_accuracy(
    store: ArtifactStore, built: Built, photos: Dataset
) -> None:
    for passport in (built.baseline, built.int8):
        measured(store, passport.key)
    beside = raw_session(store.model(built.baseline), 416, built.baseline.key)
    frames = list(photos.frames())
    result = bench(
        store,
        store.passports("plate"),
        frames,
        references=[beside],
        rounds=4,
        warm_ups=2,
        batches=(1, 2),
        warm=unwarmed,
    )
    ours, small, by_hand = result.rows
    assert (ours.key, small.key, by_hand.name) == (built.baseline.key, built.int8.key, "ONNX Runtime by hand")
    for row in (ours, small):
        for stage in (row.pre, row.inference, row.post):
            assert stage is not None
            assert 0 < stage.p50 < row.total.p99
        assert set(row.per_s) == {1, 2}
        assert row.accuracy == {name: value for name, value in SEEN.items() if name != "cases"}
        assert row.verdict == "accepted"
    assert set(ours.times) == {"ONNX Runtime by hand"}
    assert small.times == {}
    assert by_hand.accuracy == {}
    assert json.loads(json.dumps(plain(result)))["rows"][0]["total"]["p50"] == ours.total.p50
    assert png(result, "plate").startswith(b"\x89PNG")
    assert told(ours) == "mAP 0.500, recall 100.0%, accepted"
    assert told(by_hand) == "time alone"


def test_a_benchmark_that_is_stopped_keeps_nothing(store: ArtifactStore, built: Built, photos: Dataset) -> None:
    measured(store, built.int8.key)
    with pytest.raises(ArtifactError, match="was stopped"):
        bench(
            store,
            [store.passport("plate", built.int8.key)],
            [next(photos.frames())],
            stopping=lambda: True,
            warm=unwarmed,
        )


def test_a_machine_that_grows_slower_and_a_runtime_that_warms_up_are_noticed() -> None:
    warm, total = [90.0, 30.0, 12.0, *[10.0] * 17], [*[10.0] * 10, *[11.0] * 10, *[13.0] * 10]
    assert warmed(warm, total) == 2
    assert slows(total) == 1.3
    assert slows([10.0] * 30) == 1.0
