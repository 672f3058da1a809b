"""Looks for tests of the pass machine: each builder names only what matters to the test that calls it."""

from __future__ import annotations

from collections.abc import Iterable

from platefleet.agent.passes.decide import LaneState, decide
from platefleet.agent.passes.types import Box, Effect, Look, PassEvent, PassSettings, PlateSeen, VehicleSeen
from platefleet.models.reading import Character, Reading
from platefleet.protocol.clock import SECOND_NS, Instant

START_NS = 1_795_000_000 * SECOND_NS
WIDTH, HEIGHT = 640, 480
BARRIER: Box = (260.0, 240.0, 360.0, 264.0)
"""Where the plate of a standing car is."""


def at(seconds: float) -> Instant:
    return Instant(START_NS + int(seconds * SECOND_NS), 10**12 + int(seconds * SECOND_NS))


def a_reading(text: str, confidence: float = 0.97) -> Reading:
    return Reading(tuple(Character(symbol, confidence) for symbol in text))


def a_plate(text: str, box: Box = BARRIER, *, confidence: float = 0.97, vehicle: int | None = None) -> PlateSeen:
    return PlateSeen(box, box, 0.85, a_reading(text, confidence), vehicle)


def a_look(seconds: float, *plates: PlateSeen, vehicles: tuple[Box, ...] = ()) -> Look:
    return Look(at(seconds), WIDTH, HEIGHT, tuple(VehicleSeen(box, "car", 0.8) for box in vehicles), plates)


def arriving(text: str, start_s: float, until_s: float, fps: float = 10.0) -> list[Look]:
    """An empty lane for three seconds, then a car that rolls in from above within a second and stands."""
    empty = [a_look(start_s - 3 + n / fps) for n in range(int(3 * fps))]
    looks = []
    for number in range(int((until_s - start_s) * fps)):
        seconds = number / fps
        up = max(0.0, 1.0 - seconds) * 200
        x1, y1, x2, y2 = BARRIER
        looks.append(a_look(start_s + seconds, a_plate(text, (x1, y1 - up, x2, y2 - up))))
    return empty + looks


def told(events: Iterable[PassEvent], settings: PassSettings | None = None) -> list[list[Effect]]:
    """Return what the machine does for each event, from a fresh lane."""
    state, told = LaneState(seed="test"), []
    for event in events:
        state, effects = decide(state, event, settings or PassSettings())
        told.append(list(effects))
    return told
