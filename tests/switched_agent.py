"""An agent on a painted lane that serves from a real artifact store and switches. Also a program, to be killed."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from platefleet.agent.eyes import pipelines
from platefleet.agent.figures import Figures
from platefleet.agent.lane import Observer
from platefleet.agent.run import Agent
from platefleet.agent.serving import Part, Running, Shelf
from platefleet.agent.switching import Switching
from platefleet.models.artifacts.activation import activated
from platefleet.models.artifacts.passport import Passport, Role
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.detections import Frame
from platefleet.models.pipeline import Pipeline
from platefleet.models.ports import Detector, Reader
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.outbox import Outbox
from platefleet.protocol.ids import LaneId
from platefleet.protocol.messages import ArtifactInfo
from platefleet.protocol.session import Broker
from tests.fake_detector import FakeDetector
from tests.fake_reader import FakeReader
from tests.painted_lane import BLUE, NOWHERE, RED, TEXT, a_camera, an_agent, folder_of, painted, settings_of
from tests.painted_models import as_artifact, painted_model

SHADED = (200, 0, 0)
TRIAL = {"shadow_every": 2, "shadow_frames": 4, "visits": 6, "reference": 5, "slower": 1000.0}
"""Short, and deaf to how busy the machine is."""


def short_visits() -> list[Frame]:
    """A car that is there for eight frames, its plate in the shade in two, and twelve without one; to be looped."""
    car = [painted(top) for top in (0, 30, 60, 90, 90, 90, 110, 130)]
    for frame in car[-2:]:
        frame[(frame == BLUE).all(axis=2)] = SHADED
    return car + [painted(-300)] * 12


def a_store(root: Path) -> tuple[ArtifactStore, Passport]:
    """A store in which a plate artifact is active, and confirmed."""
    root.mkdir(parents=True, exist_ok=True)
    store = ArtifactStore(root / "artifacts")
    first = as_artifact(store, "plate", painted_model(root / "first.onnx", 2, "license_plate"))
    store.choose("plate", lambda now: activated(now, first))
    return store, first


def configured(role: Role) -> Part:
    """What serves where the store says nothing."""
    models: dict[Role, Detector | Reader] = {
        "vehicle": FakeDetector(RED, "car"),
        "plate": FakeDetector(BLUE, "license_plate", 0.5),
        "reader": FakeReader({BLUE: TEXT}, 0.99),
    }
    info = ArtifactInfo(role=role, format="onnx", precision="fp32", digest="configured", active=True)
    return Part(role, models[role], info)


class Site:
    """An agent with its store, its figures and what it says that runs."""

    def __init__(  # noqa: PLR0917 - a site is made of much
        self,
        store: ArtifactStore,
        folder: Path,
        shelf: type[Shelf] = Shelf,
        trial: Mapping[str, Any] = TRIAL,
        observers: Sequence[Observer] = (),
        more: Mapping[str, Any] = MappingProxyType({}),
        broker: Broker = NOWHERE,
        outbox: Outbox | None = None,
        **camera: Any,
    ) -> None:
        """more: other tables of the settings."""
        self.store, self.figures, self.running = store, Figures(), Running()
        if not folder.exists():
            folder_of(short_visits(), folder)
        self.settings = settings_of(a_camera(folder, loop=True, **camera), trial=dict(trial), **more)
        self.switching = Switching(
            shelf(self.settings.models, configured, store, self.figures),
            self._pipelines,
            self.running,
            self.settings.trial,
            figures=self.figures,
            clock=SystemClock(),
        )
        self.agent: Agent
        self.agent, _ = an_agent(
            self.settings, switching=self.switching, running=self.running, figures=self.figures, observers=observers,
            broker=broker, outbox=outbox,
        )  # fmt: skip

    def __enter__(self) -> Site:
        self.agent.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.agent.stop()

    def count(self, name: str) -> int:
        return self.figures.counts().get(name, 0)

    def knows_enough(self) -> bool:
        """Whether the visits are there that a swap waits for."""
        return self.switching._visits.known("plate") >= self.settings.trial.reference

    @property
    def serves(self) -> str:
        """The digest of the plate model, as the device's info has it."""
        return {each.role: each.digest for each in self.running.infos()}["plate"]

    def _pipelines(self, parts: Mapping[Role, Part]) -> dict[LaneId, Pipeline]:
        return pipelines(self.settings, parts["vehicle"].model, parts["plate"].model, parts["reader"].model)


if __name__ == "__main__":
    with Site(ArtifactStore(Path(sys.argv[1])), Path(sys.argv[2])) as site:
        while True:
            print(type(site.switching.state).__name__, flush=True)
            time.sleep(0.02)
