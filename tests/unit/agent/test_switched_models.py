"""The pinned models as artifacts of all three roles, put in one after the other while a car is being read."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import pytest

from platefleet.agent.assemble import assemble
from platefleet.agent.run import Agent
from platefleet.agent.trial_ends import ask
from platefleet.deploy.demo.cars import STANDS
from platefleet.deploy.demo.clip import by_name, render
from platefleet.deploy.demo.scene import Car, Trip, film
from platefleet.deploy.interrupts import Interrupts
from platefleet.models.acceptance.dataset import Dataset, load_dataset
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.passport import Passport, Recipe, Role, Verdict
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.build.run import Order, build
from platefleet.models.weights import Materials
from platefleet.protocol.messages import PlateEvent
from tests.artifact_stores import photo_folder
from tests.painted_lane import a_camera, plates, settings_of
from tests.until import until

pytestmark = [pytest.mark.materials, pytest.mark.timeout(600)]  # the real models, on whatever else the cores do
LONG_S = 180.0
PHOTO = "carlong_0130"


@pytest.fixture
def lane(materials: Materials, tmp_path: Path) -> Path:
    """The demo's scenery with one car that comes, stands and leaves, again and again."""
    scene = film([Car("the car", PHOTO, STANDS[PHOTO].plate)], [Trip(0, pause_s=0.0, stands_s=1.0)], fps=4.0)
    folder = tmp_path / "lane"
    folder.mkdir()
    for number, frame in enumerate(render(scene, by_name(materials.photos), Interrupts())):
        cv2.imwrite(str(folder / f"{number:04}.png"), frame)
    return folder


def accepted(store: ArtifactStore, passport: Passport) -> Passport:
    """Write what an evaluation on many frames would."""
    role = passport.recipe.role
    return store.update(
        role, passport.key, lambda each: each.model_copy(update={"verdict": Verdict(judged="accepted")})
    )


def built_of(  # noqa: PLR0917 - what differs between the three
    store: ArtifactStore,
    role: Role,
    weights: Path,
    size: int,
    batch: int | None,
    calibration: Dataset | None = None,
) -> Passport:
    """Built on this machine: INT8 where there is something to calibrate on, else FP32."""
    precision = "fp32" if calibration is None else "int8"
    recipe = Recipe.model_validate(
        {
            "role": role,
            "source": store.add_source(role, weights),
            "format": "onnx",
            "precision": precision,
            "size": size,
            "batch": batch,
            "head_fp32": calibration is not None,
        }
    )
    return accepted(store, build(store, Order(recipe, calibration), machine=machine()))


def serves(agent: Agent) -> dict[str, tuple[str, str]]:
    return {each.role: (each.precision, each.digest) for each in agent._running.infos()}


def is_served(agent: Agent, passport: Passport) -> bool:
    """Whether an artifact runs; the vehicle model's file is the very one of the configured weights."""
    assert agent._switching is not None
    return agent._switching._served[passport.recipe.role].key == passport.key


def test_vehicle_plate_and_reader_are_put_in_while_passes_go_on_and_the_car_is_read_as_before(
    materials: Materials, lane: Path, tmp_path: Path
) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    calibration = load_dataset(photo_folder(materials.photos[:3], tmp_path / "calibration"))
    chosen = {
        "vehicle": built_of(store, "vehicle", materials.vehicle, 640, 1),
        "plate": built_of(store, "plate", materials.plate, 416, None, calibration),
        "reader": built_of(store, "reader", materials.reader, 320, 1),
    }
    models = {
        "store": str(store.root),
        **{role: str(getattr(materials, role)) for role in chosen},
    }
    agent = assemble(
        settings_of(
            a_camera(lane, loop=True, fps=4.0),
            models=models,
            outbox={"file": str(tmp_path / "outbox")},
            own_frames={"enabled": False},
            health={"disk_least_bytes": 0},
        )
    )

    def told() -> list[PlateEvent]:
        return [event for event in plates(agent._outbox) if event.text]

    agent.start()
    try:
        first = until(told, LONG_S)[0]
        assert first.text == STANDS[PHOTO].plate
        for passport in chosen.values():
            assert ask(store, passport.recipe.role, passport.key).confirmed
            until(partial(is_served, agent, passport), LONG_S)
        wanted = {role: (each.recipe.precision, each.files[each.model]) for role, each in chosen.items()}
        assert serves(agent) == wanted
        names = {role: f"onnx/{precision}/{digest[:16]}" for role, (precision, digest) in wanted.items()}
        read = until(lambda: [event for event in told() if event.artifacts == names], LONG_S)
        assert {event.text for event in read} == {first.text}  # the models are others, the car is read as before
        assert agent.figures.counts().get("model_failures", 0) == 0
        assert agent.figures.troubles() == []
        assert agent.health().cameras[0].dropped == 0
    finally:
        agent.stop()
