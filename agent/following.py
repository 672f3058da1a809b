"""The thread that follows vehicles: looks go in, records come out."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from time import perf_counter

from platefleet.agent.cameras.reader import POLL_S
from platefleet.agent.detection import Looked, Seen
from platefleet.agent.figures import Figures
from platefleet.agent.lane import LaneWatch
from platefleet.protocol.ids import LaneId


class Following:
    """Works through what the models saw, each lane by its own passes. `run` in a thread of its own."""

    def __init__(self, seen: queue.Queue[Seen], lanes: Mapping[LaneId, LaneWatch], figures: Figures) -> None:
        self._seen, self._lanes, self._figures = seen, lanes, figures
        self._over: set[LaneId] = set()
        self.over = threading.Event()
        """Set when every lane's pictures have come to their end and were worked through."""

    def run(self, stop: threading.Event, alive: Callable[[], None]) -> None:
        """Work until `stop`; then through what was already seen, and leave the open passes to the next start.

        Detection has ended by then, so that no more than its queue holds is left.
        """
        while not stop.is_set():
            alive()
            try:
                seen = self._seen.get(timeout=POLL_S)
            except queue.Empty:
                for lane in self._lanes.values():
                    lane.tick()
                continue
            self._work(seen)
        for _ in range(self._seen.qsize()):
            self._work(self._seen.get_nowait())
        for lane in self._lanes.values():
            lane.leave()

    def _work(self, seen: Seen) -> None:
        lane = self._lanes[seen.lane]
        began = perf_counter()
        if isinstance(seen, Looked):
            lane.show(seen.picture, seen.sighting, seen.look)
            self._figures.took("follow", (perf_counter() - began) * 1000)
            return
        lane.stop()
        self._over.add(seen.lane)
        if self._over == set(self._lanes):
            self.over.set()
