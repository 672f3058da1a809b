"""`build`, `evaluate`, `benchmark` in real children on painted models: stopped at any point nothing is half-done."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import psutil
import pytest

from platefleet.models.artifacts.passport import Passport
from platefleet.models.errors import ArtifactError
from platefleet.models.operations import operations
from platefleet.models.operations.benchmark import MOST_BYTES, Benchmarked, within
from platefleet.models.operations.port import StoppedEarly
from platefleet.models.operations.reading import arguments_of, packed
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages.command import RESULT_LIMIT_BYTES
from tests.commanded import ATestHost
from tests.one_job import OneJob, carried_out, settled
from tests.painted_lane import folder_of
from tests.painted_models import SIZE, painted_model
from tests.switched_agent import short_visits

FP32 = {"role": "plate", "format": "onnx", "precision": "fp32", "size": SIZE}


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A device with a source, a baseline built of it by command, and frames."""
    folder = tmp_path_factory.mktemp("device")
    host = ATestHost(folder)
    host.store.add_source("plate", painted_model(folder / "painted.onnx", 2, "license_plate"))
    folder_of(short_visits()[:6], folder / "evaluation")
    carried_out("build", host, **FP32, evaluate=False)
    return folder


@pytest.fixture
def host(furnished: Path, tmp_path: Path) -> ATestHost:
    shutil.copytree(furnished, tmp_path / "device")
    return ATestHost(tmp_path / "device")


def passports(host: ATestHost) -> tuple[Passport, ...]:
    return host.store.passports("plate")


def left_behind(host: ATestHost) -> list[str]:
    """What a build leaves where it is made, and children that go on."""
    children = [each.name() for each in psutil.Process().children() if each.nice() == 19]
    known = {each.key for each in passports(host)}
    return children + [path.name for path in (host.store.root / "plate" / "built").iterdir() if path.name not in known]


def test_what_was_built_before_is_not_built_again(host: ATestHost) -> None:
    job = OneJob()
    result = carried_out("build", host, job, **FP32, evaluate=False)
    assert job.steps == ["preparing"]
    assert result.passport["key"] == passports(host)[0].key
    assert operations()["build"].lines(result)[0].startswith("plate/onnx/fp32/")


@pytest.mark.parametrize("at", ["preparing", "building"])
def test_a_build_that_is_stopped_leaves_the_store_as_it_was(host: ATestHost, at: str) -> None:
    before = passports(host)
    with pytest.raises(StoppedEarly):
        carried_out("build", host, OneJob(stop_at=at), **{**FP32, "size": 2 * SIZE}, evaluate=False)
    assert passports(host) == before
    assert left_behind(host) == []
    assert settled("build", host, OneJob(), **FP32) is None  # after a restart it is begun again


@pytest.mark.parametrize(("name", "at"), [("evaluate", "evaluating"), ("benchmark", "measuring")])
def test_a_measurement_that_is_stopped_says_nothing_of_the_artifact(host: ATestHost, name: str, at: str) -> None:
    before = passports(host)
    key = {"key": before[0].key} if name == "evaluate" else {}
    with pytest.raises(StoppedEarly):
        carried_out(name, host, OneJob(stop_at=at), role="plate", **key)
    assert passports(host) == before
    assert left_behind(host) == []


def test_a_build_of_what_is_not_there_says_what_to_do(host: ATestHost) -> None:
    with pytest.raises(ArtifactError, match="0 sources fit"):
        carried_out("build", host, **{**FP32, "source": "ffff"})
    with pytest.raises(ArtifactError, match="0 sources fit"):
        carried_out("build", host, **{**FP32, "role": "vehicle"})


def test_int8_without_frames_to_calibrate_on_says_so(host: ATestHost) -> None:
    with pytest.raises(ArtifactError):
        carried_out("build", host, **{**FP32, "precision": "int8"})


def test_an_artifact_that_is_not_there_is_not_evaluated(host: ATestHost) -> None:
    with pytest.raises(ArtifactError, match="0 artifacts"):
        carried_out("evaluate", host, role="plate", key="ffff")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("build", {"role": "plate", "size": 33}),
        ("build", {"role": "plate", "precision": "int4"}),
        ("build", {"role": "plate", "batch": 65}),
        ("evaluate", {"role": "plate", "key": "xyz"}),
        ("evaluate", {"role": "plate", "key": "abcd", "lost": 0.9}),
        ("benchmark", {"role": "plate", "rounds": 1_000_000}),
        ("benchmark", {"role": "plate", "keys": ("a",) * 33}),
        ("prune", {"everything": True}),
    ],
)
def test_arguments_out_of_range_are_refused(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match=name):
        arguments_of(operations()[name], wrong)


def test_a_benchmark_of_many_artifacts_fits_into_a_status_and_names_the_rest() -> None:
    rows = [
        {"name": f"plate/onnx/fp32/{number}", "accuracy": {"recall": 0.5}, "total": "x" * 3000} for number in range(60)
    ]
    kept, left_out = within(rows, ["plate/onnx/int8/1: was rejected"])
    assert 0 < len(kept) < 60
    assert len(kept) + len(left_out) == 61
    assert sum(len(str(row)) for row in kept) <= MOST_BYTES * 1.1
    assert len(packed(Benchmarked(rows=kept, left_out=left_out))) <= RESULT_LIMIT_BYTES
