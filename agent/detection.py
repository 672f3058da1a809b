"""The only thread that touches the models: takes the newest picture, looks, hands on what it saw."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from platefleet.agent.cameras.port import Over, Picture
from platefleet.agent.cameras.reader import POLL_S, Pictures
from platefleet.agent.eyes import Eyes, OpenEyes
from platefleet.agent.figures import Figures
from platefleet.agent.looks import look_of, region_of
from platefleet.agent.passes.types import Look, Point
from platefleet.models.reading import Sighting
from platefleet.protocol.clock import Clock
from platefleet.protocol.errors import ModelError
from platefleet.protocol.ids import LaneId

LOG = logging.getLogger(__name__)
WAITING = 8
"""Looks between the models and the passes; frames stand behind them, so few. If they fill up, pictures are dropped."""


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """A picture with what the pipeline saw in it."""

    lane: LaneId
    picture: Picture
    sighting: Sighting
    look: Look


@dataclass(frozen=True, slots=True)
class Finished:
    """The pictures of a lane are over."""

    lane: LaneId


Seen = Looked | Finished


class Detection:
    """Looks at the newest pictures, lanes in turn. `run` in a thread of its own."""

    def __init__(
        self,
        newest: Pictures,
        seen: queue.Queue[Seen],
        open_eyes: OpenEyes,
        *,
        polygons: Mapping[LaneId, tuple[Point, ...]],
        figures: Figures,
        clock: Clock,
    ) -> None:
        self._newest, self._seen, self._open_eyes = newest, seen, open_eyes
        self._polygons, self._figures, self._clock = polygons, figures, clock
        self.opened = threading.Event()
        """Set when the models are open, or could not be opened for the first time: see `refused`."""
        self.refused: ModelError | None = None

    def run(self, stop: threading.Event, alive: Callable[[], None]) -> None:
        """Open the models and look until `stop`. Raises ModelError if they cannot be opened."""
        alive()
        try:
            eyes = self._open_eyes()
        except ModelError as error:
            self.refused = error
            self._figures.trouble("models", f"models: {error}")
            raise
        finally:
            self.opened.set()
        self._figures.well("models")
        try:
            while not stop.is_set():
                alive()
                taken = self._newest.take(POLL_S)
                if taken is None:
                    continue
                lane, item = taken
                seen = Finished(lane) if isinstance(item, Over) else self._look(eyes[lane], lane, item)
                if seen is not None:
                    self._hand_on(seen, stop, alive)
        finally:
            for each in eyes.values():
                each.close()

    def _look(self, eyes: Eyes, lane: LaneId, picture: Picture) -> Looked | None:
        """Look at one picture; one that the models fail on is counted and left out."""
        height, width = picture.frame.shape[:2]
        began_ns = self._clock.now().mono_ns
        try:
            sighting = eyes.look(picture.frame, region_of(self._polygons[lane], width, height))
        except ModelError as error:
            self._figures.count("model_failures")
            if self._figures.trouble("models", f"{lane}: the models fail on pictures: {error}"):
                LOG.error("%s: the models failed on a picture, which is left out: %s", lane, error)
            return None
        self._figures.well("models")
        self._figures.count("frames_looked_at")
        sighting.ms["wait"] = (began_ns - picture.arrived_mono_ns) / 1e6
        for stage, ms in sighting.ms.items():
            self._figures.took(stage, ms)
        return Looked(
            lane, picture, sighting, look_of(sighting, eyes.vehicle_classes, picture.captured, (width, height))
        )

    def _hand_on(self, seen: Seen, stop: threading.Event, alive: Callable[[], None]) -> None:
        """Hand over, waiting for room."""
        while not stop.is_set():
            alive()
            try:
                self._seen.put(seen, timeout=POLL_S)
            except queue.Full:
                continue
            return
