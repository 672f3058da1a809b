"""What is looked at before an artifact is loaded, in this order: its digest, a plan's header, a run in a child."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.opening import checked, open_artifact, open_reader
from platefleet.models.artifacts.passport import Machine, Passport, Recipe
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.artifacts.warm import warm
from platefleet.models.errors import ArtifactError, ModelError, PlanMismatch
from tests.artifact_stores import Built, placed
from tests.plan_headers import a_plan

ENGINE = Recipe(role="plate", source="ab" * 32, format="tensorrt", precision="fp16", size=416)
HERE = Machine(cpu="x", gpu="Orin", compute_capability="8.7", tensorrt="10.3.0")


class Looked:
    """A warm run that only counts."""

    def __init__(self) -> None:
        self.at: list[Path] = []

    def __call__(self, _: Passport, model: Path) -> None:
        self.at.append(model)


def an_engine(tmp_path: Path, plan: bytes, where: Machine = HERE) -> tuple[ArtifactStore, Passport]:
    store = ArtifactStore(tmp_path / "artifacts")
    (tmp_path / "model.engine").write_bytes(plan)
    return store, placed(store, ENGINE, tmp_path / "model.engine", machine=where)


def test_an_engine_of_this_tensorrt_and_gpu_is_run_in_a_child_first(tmp_path: Path) -> None:
    looked = Looked()
    store, engine = an_engine(tmp_path, a_plan((10, 3, 0)))
    assert checked(store, engine, here=lambda: HERE, warm=looked) == store.model(engine)
    assert looked.at == [store.model(engine)]


@pytest.mark.parametrize(
    ("plan", "here", "said"),
    [
        (a_plan((8, 6, 2)), HERE, r"built with TensorRT 8\.6\.2, this device has 10\.3\.0; build it again"),
        (b"ftrt", HERE, "ends after 4 bytes"),
        (b"PK" + bytes(100), HERE, "does not begin like a TensorRT engine"),
        (
            a_plan((10, 3, 0)),
            HERE.model_copy(update={"gpu": "Xavier", "compute_capability": "7.2"}),
            r"built for Orin 8\.7, this device has Xavier 7\.2",
        ),
        (a_plan((10, 3, 0)), HERE.model_copy(update={"tensorrt": None}), "TensorRT is not installed"),
    ],
)
def test_an_engine_that_does_not_fit_is_refused_before_anything_is_started(
    tmp_path: Path, plan: bytes, here: Machine, said: str
) -> None:
    looked = Looked()
    store, engine = an_engine(tmp_path, plan)
    with pytest.raises(PlanMismatch, match=said):
        checked(store, engine, here=lambda: here, warm=looked)
    assert looked.at == []


def test_a_rotten_body_is_refused_by_its_digest_before_its_header_is_read(tmp_path: Path) -> None:
    looked = Looked()
    store, engine = an_engine(tmp_path, a_plan((10, 3, 0)))
    path = store.home(engine) / engine.model
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ArtifactError, match="is damaged; build it again"):
        checked(store, engine, here=lambda: HERE, warm=looked)
    assert looked.at == []


def test_fifty_bodies_with_a_rotten_place_are_refused_by_their_digest(tmp_path: Path) -> None:
    looked, random = Looked(), np.random.default_rng(3)
    whole = a_plan((10, 3, 0), body=random.bytes(5000))
    store, engine = an_engine(tmp_path, whole)
    path = store.home(engine) / engine.model
    for _ in range(50):
        rotten = bytearray(whole)
        rotten[int(random.integers(32, len(whole)))] ^= 1 << int(random.integers(0, 8))
        path.write_bytes(rotten[: int(random.integers(len(whole) - 1, len(whole) + 1))])
        with pytest.raises(ArtifactError, match="is damaged; build it again"):
            checked(store, engine, here=lambda: HERE, warm=looked)
    assert looked.at == []


@pytest.mark.materials
def test_rotten_models_with_a_forged_digest_end_in_their_child_and_not_here(
    store: ArtifactStore, built: Built, tmp_path: Path
) -> None:
    whole = bytearray(built.store.model(built.int8).read_bytes())
    for seed in range(3):
        rotten = bytearray(whole)
        for at in np.random.default_rng(seed).integers(0, len(whole), 2000):
            rotten[at] ^= 0xFF
        (tmp_path / "rotten.onnx").write_bytes(rotten)
        forged = placed(store, built.int8.recipe, tmp_path / "rotten.onnx")
        with pytest.raises(ModelError):
            warm(forged, store.model(forged))


@pytest.mark.materials
def test_an_artifact_is_opened_after_it_has_run_in_a_child(built: Built) -> None:
    detector = open_artifact(built.store, built.int8, confidence=0.25, iou=0.7)
    assert detector.classes == ("license_plate",)
    detector.close()


@pytest.mark.materials
def test_a_model_that_fails_in_its_child_is_not_loaded_here(store: ArtifactStore, built: Built, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"its digest is right and it is no model")
    bad = placed(store, built.int8.recipe, tmp_path / "bad.onnx")
    with pytest.raises(ModelError, match="not a model that can be run"):
        open_artifact(store, bad, confidence=0.25, iou=0.7)


@pytest.mark.materials
def test_a_model_that_hangs_in_its_child_is_not_loaded_here(built: Built) -> None:
    with pytest.raises(ArtifactError, match=r"was not done within 0 s.*was not loaded"):
        warm(built.int8, built.store.model(built.int8), deadline_s=0.0)


def test_roles_are_not_taken_for_each_other(tmp_path: Path) -> None:
    store, engine = an_engine(tmp_path, a_plan((10, 3, 0)))
    with pytest.raises(ArtifactError, match="is a detector and reads nothing"):
        open_reader(store, engine)
    reader = engine.model_copy(update={"recipe": ENGINE.model_copy(update={"role": "reader"})})
    with pytest.raises(ArtifactError, match="is a reader and finds nothing"):
        open_artifact(store, reader, confidence=0.25, iou=0.7)


def test_this_machine_is_known() -> None:
    here = machine()
    assert here.cpu
    assert machine() == here
