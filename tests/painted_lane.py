"""A lane painted in flat colours, with models that cost nothing: a red car with a blue plate comes and goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from platefleet.agent.eyes import Eyes
from platefleet.agent.lane import Observer
from platefleet.agent.run import Agent
from platefleet.agent.settings.tree import Settings
from platefleet.agent.switching import Switching
from platefleet.models.detections import Frame, Region
from platefleet.models.pipeline import Pipeline
from platefleet.models.reading import Sighting
from platefleet.protocol.clock import Clock, SystemClock
from platefleet.protocol.delivery.frame import open_body
from platefleet.protocol.delivery.outbox import MemoryOutbox, Outbox
from platefleet.protocol.messages import Crops, Message, PlateEvent
from platefleet.protocol.session import Broker, Session
from tests.fake_detector import FakeDetector
from tests.fake_reader import FakeReader

WIDTH, HEIGHT = 320, 240
RED, BLUE = (0, 0, 255), (255, 0, 0)
TEXT = "B123ABC"
FPS = 10.0
NOWHERE = Broker("127.0.0.1", 1, backoff_s=0.05, backoff_most_s=0.2)
"""Nobody listens on port 1."""


def painted(top: int) -> Frame:
    """A frame with a car whose upper edge is at `top`, which may lie outside."""
    frame = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    cv2.rectangle(frame, (100, top), (219, top + 99), RED, cv2.FILLED)
    cv2.rectangle(frame, (130, top + 60), (189, top + 75), BLUE, cv2.FILLED)
    return frame


def a_visit(standing: int = 15) -> list[Frame]:
    """A car comes from above, stands, and drives off below; an empty lane before and after."""
    tops = [-110] * 3 + list(range(-90, 91, 12)) + [90] * standing + list(range(102, 245, 12)) + [250] * 25
    return [painted(top) for top in tops]


def folder_of(frames: Sequence[Frame], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{number:05}.png"), frame)
    return folder


def flat_eyes(text: str = TEXT) -> Eyes:
    """Models that find red cars and blue plates, at no cost."""
    return Pipeline(FakeDetector(RED, "car"), FakeDetector(BLUE, "license_plate"), FakeReader({BLUE: text}, 0.99))


class Faulty:
    """Eyes that fail on some pictures, in their order, and see the others."""

    def __init__(self, faults: Mapping[int, Exception]) -> None:
        self._faults, self._eyes, self._count = dict(faults), flat_eyes(), 0

    @property
    def vehicle_classes(self) -> tuple[str, ...]:
        return self._eyes.vehicle_classes

    def look(self, frame: Frame, region: Region | None = None) -> Sighting:
        self._count += 1
        if self._count in self._faults:
            raise self._faults[self._count]
        return self._eyes.look(frame, region)

    def close(self) -> None:
        return


def a_camera(folder: Path, **more: Any) -> dict[str, Any]:
    """Every picture of a folder, at the folder's own time and as fast as it goes."""
    return {"kind": "folder", "path": str(folder), "fps": FPS, "every_frame": True, "real_time": False, **more}


def settings_of(camera: Mapping[str, Any], **more: Any) -> Settings:
    return Settings.model_validate(
        {
            "device": "gate-north",
            "broker": {"host": "127.0.0.1"},
            "lanes": [{"name": "entry", "camera": dict(camera)}],
            **more,
        }
    )


def an_agent(
    settings: Settings,
    *,
    eyes: Eyes | None = None,
    broker: Broker = NOWHERE,
    outbox: Outbox | None = None,
    clock: Clock | None = None,
    observers: Sequence[Observer] = (),
    switching: Switching | None = None,
    **more: Any,
) -> tuple[Agent, Outbox]:
    """An agent over painted pictures; without a broker unless one is named."""
    clock = clock or SystemClock()
    outbox = outbox or MemoryOutbox(clock=clock)
    lanes = {lane.name: eyes or flat_eyes() for lane in settings.lanes}
    session = Session(settings.device, broker, clock=clock)
    open_eyes = switching.open if switching else lambda: lanes
    agent = Agent(
        settings, session=session, outbox=outbox, eyes=open_eyes, clock=clock, observers=observers, switching=switching,
        **more,
    )  # fmt: skip
    return agent, outbox


def bodies(outbox: Outbox) -> Iterator[Message]:
    """Everything that an outbox holds and the store lacks, oldest first."""
    for entry in outbox.waiting(None, 10_000):
        record = outbox.read(entry.key)
        assert record is not None
        yield open_body(record)


def plates(outbox: Outbox) -> list[PlateEvent]:
    return [body for body in bodies(outbox) if isinstance(body, PlateEvent)]


def crops(outbox: Outbox) -> list[Crops]:
    return [body for body in bodies(outbox) if isinstance(body, Crops)]
