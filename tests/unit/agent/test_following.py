"""The thread between the models and the records: nothing that was seen is thrown away when it stops."""

from __future__ import annotations

import queue
import threading

import numpy as np

from platefleet.agent.cameras.port import Picture
from platefleet.agent.detection import WAITING, Looked, Seen
from platefleet.agent.figures import Figures
from platefleet.agent.following import Following
from platefleet.agent.lane import LaneWatch, Worked
from platefleet.agent.looks import look_of
from platefleet.agent.passes.types import PassSettings
from platefleet.agent.settings.tree import CropSettings
from platefleet.agent.teller import Teller
from platefleet.models.detections import Detections
from platefleet.models.reading import Sighting
from platefleet.protocol.clock_sync import stamped
from platefleet.protocol.delivery.frame import Record
from platefleet.protocol.delivery.outbox import MemoryOutbox
from tests.turned_clock import TurnedClock


class Silent:
    """An uplink that sends nothing."""

    def tell(self, record: Record, seen_mono_ns: int) -> None:
        """Do nothing."""


def test_looks_that_wait_when_it_stops_are_worked_through_before_passes_are_closed() -> None:
    clock, figures, worked = TurnedClock(), Figures(), list[Worked]()
    teller = Teller(
        "entry", MemoryOutbox(clock=clock), Silent(), stamp=lambda at: stamped(at, "b" * 36, "synced"), artifacts={},
        settings=CropSettings(), figures=figures, clock=clock,
    )  # fmt: skip
    lane = LaneWatch("entry", PassSettings(), teller, seed="s", figures=figures, clock=clock, observers=[worked.append])
    seen: queue.Queue[Seen] = queue.Queue(WAITING)
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))
    for number in range(WAITING):
        now = clock.now()
        picture = Picture(np.zeros((48, 64, 3), np.uint8), now, now.mono_ns, number)
        sighting = Sighting(nothing)
        seen.put(Looked("entry", picture, sighting, look_of(sighting, ("car",), now, (64, 48))))
        clock.turn(0.1)
    stop = threading.Event()
    stop.set()
    Following(seen, {"entry": lane}, figures).run(stop, lambda: None)
    assert [each.picture.number for each in worked] == list(range(WAITING))
