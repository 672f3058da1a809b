"""A barrier without pictures: eyes that cost nothing and see what a plan says is there now.

The rest of the agent is the real one; so what is measured or broken beside it is its way of telling, not its models.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from platefleet.models.detections import Detections, Frame, Region
from platefleet.models.reading import Character, Plate, Reading, Sighting

WIDTH, HEIGHT = 640, 480
CONFIDENCE = 0.97
LEAST_SHOWN_PX = 12.0
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Visit:
    """One car: rolls in from above, stands at the barrier, rolls off below.

    appears_s, legible_s, leaves_s: UTC seconds; its plate can be read from `legible_s` on, and it begins to roll off at
    `leaves_s`. rolls_s: how long either way takes. x: its middle in pixels; width: its own.
    """

    plate: str
    appears_s: float
    leaves_s: float
    legible_s: float = 0.0
    rolls_s: float = 1.2
    x: float = WIDTH / 2
    width: float = 220.0

    @property
    def gone_s(self) -> float:
        """When nothing of it is in the picture any more, UTC seconds."""
        return self.leaves_s + self.rolls_s

    def vehicle(self, at_s: float) -> Box | None:
        """Return where it is, reaching beyond the picture while it comes and goes; None when it is not there."""
        if not self.appears_s <= at_s < self.gone_s:
            return None
        height, barrier = self.width * 1.2, HEIGHT * 0.3
        top = -height + (barrier + height) * min((at_s - self.appears_s) / self.rolls_s, 1.0)
        if at_s > self.leaves_s:
            top += (HEIGHT - top) * (at_s - self.leaves_s) / self.rolls_s
        return self.x - self.width / 2, top, self.x + self.width / 2, top + height


def sighting(visits: Sequence[Visit], at_s: float) -> Sighting:
    """Return what a perfect pipeline would see at `at_s`: vehicles cut by the picture's border, plates only whole."""
    vehicles: list[Box] = []
    plates: list[Plate] = []
    for visit in visits:
        box = visit.vehicle(at_s)
        if box is None or min(box[3], HEIGHT) - max(box[1], 0.0) < LEAST_SHOWN_PX:
            continue
        middle, half = (box[0] + box[2]) / 2, visit.width * 0.2
        plate = (middle - half, box[1] + visit.width * 0.8, middle + half, box[1] + visit.width * 0.9)
        if at_s >= visit.legible_s and plate[1] > 4.0 and plate[3] < HEIGHT - 4.0:
            plates.append(_plate(visit.plate, plate, len(vehicles)))
        vehicles.append((box[0], max(box[1], 0.0), box[2], min(box[3], float(HEIGHT))))
    count = len(vehicles)
    found = Detections(
        np.array(vehicles, np.float32).reshape(count, 4),
        np.full(count, CONFIDENCE, np.float32),
        np.zeros(count, np.int32),
    )
    return Sighting(found, tuple(plates))


def _plate(text: str, box: Box, vehicle: int) -> Plate:
    x1, y1, x2, y2 = box
    edges = np.array(box, np.float32)
    corners = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float32)
    reading = Reading(tuple(Character(letter, CONFIDENCE) for letter in text))
    return Plate(edges, edges, corners, CONFIDENCE, reading, vehicle)


class Plan:
    """The visits in a file, which may be written anew while somebody looks; read when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_ns = -1
        self._visits: tuple[Visit, ...] = ()

    def write(self, visits: Sequence[Visit]) -> None:
        """Replace the plan, atomically."""
        new = self._path.with_name(f"{self._path.name}.new")
        new.write_text(json.dumps([asdict(visit) for visit in visits]), encoding="utf-8")
        new.replace(self._path)

    def visits(self) -> tuple[Visit, ...]:
        """Return the visits as they are planned now; none before the plan is first written."""
        try:
            changed_ns = os.stat(self._path).st_mtime_ns
        except FileNotFoundError:
            return ()
        if changed_ns != self._read_ns:
            plan = json.loads(self._path.read_text(encoding="utf-8"))
            self._visits, self._read_ns = tuple(Visit(**each) for each in plan), changed_ns
        return self._visits


class PlannedEyes:
    """Eyes that see the plan, whatever the picture shows (see `platefleet.agent.eyes.Eyes`)."""

    vehicle_classes = ("car",)

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def look(self, frame: Frame, region: Region | None = None) -> Sighting:  # noqa: ARG002  # the plan knows
        """Return what the plan has for now."""
        return sighting(self._plan.visits(), time.time())

    def close(self) -> None:
        """Nothing is held."""
