"""What a clip shows, as numbers: which car is where in which frame. Seeded, without a pixel.

A car is one of the barrier photos, moved and scaled over an empty lane: it comes from the top, stops in front of the
barrier, and drives off over the bottom edge. Coordinates of a photo become those of a frame by `scale · x + shift`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

PHOTO_WIDTH, PHOTO_HEIGHT = 380, 285
Fate = Literal["passes", "reverses"]


@dataclass(frozen=True, slots=True)
class Car:
    """A car of a clip. photo: file name's stem; plate: what can be read on it, None for nothing; crop: the car's part."""

    name: str
    photo: str
    plate: str | None
    covered: bool = False
    at_border: bool = False
    crop: tuple[int, int, int, int] = (0, 0, PHOTO_WIDTH, PHOTO_HEIGHT)


@dataclass(frozen=True, slots=True)
class Placement:
    """One car in one frame: frame = scale · photo + shift, in pixels."""

    car: int
    scale: float
    shift_x: float
    shift_y: float

    def box(self, box: Sequence[float]) -> tuple[float, float, float, float]:
        """Return a photo's box in the frame."""
        x1, y1, x2, y2 = box
        return (
            self.scale * x1 + self.shift_x,
            self.scale * y1 + self.shift_y,
            self.scale * x2 + self.shift_x,
            self.scale * y2 + self.shift_y,
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole clip: for each frame its cars, the furthest first."""

    width: int
    height: int
    fps: float
    cars: tuple[Car, ...]
    frames: tuple[tuple[Placement, ...], ...]

    def shown(self, car: int) -> tuple[int, int]:
        """Return the first and the last frame in which a part of the car is in the picture."""
        visible = [
            number
            for number, placements in enumerate(self.frames)
            for placement in placements
            if placement.car == car and _reaches_in(self, placement)
        ]
        return visible[0], visible[-1]


def _reaches_in(scene: Scene, placement: Placement) -> bool:
    x1, y1, x2, y2 = placement.box(scene.cars[placement.car].crop)
    return x2 > 0 and y2 > 0 and x1 < scene.width and y1 < scene.height


@dataclass(frozen=True, slots=True)
class Trip:
    """One car's way: when it comes, how long it waits behind another and at the barrier, and how it goes (seconds)."""

    car: int
    starts_s: float
    approach_s: float
    stands_s: float
    leaves_s: float
    fate: Fate = "passes"
    queues_s: float = 0.0
    side: float = 0.0

    @property
    def ends_s(self) -> float:
        """When it is gone."""
        return self.starts_s + self.approach_s + self.queues_s + self.stands_s + self.leaves_s

    def progress(self, at_s: float) -> float | None:
        """Return where it is: 0 still above the picture, 1 at the barrier, 2 below the picture; None when not there."""
        t = at_s - self.starts_s
        if t < 0 or at_s >= self.ends_s:
            return None
        queue = 0.5
        if self.queues_s:
            half_s = self.approach_s / 2
            if t < half_s:
                return queue * _ease(t / half_s)
            if t < half_s + self.queues_s:
                return queue
            if t < self.approach_s + self.queues_s:
                return queue + (1 - queue) * _ease((t - half_s - self.queues_s) / half_s)
        elif t < self.approach_s:
            return _ease(t / self.approach_s)
        gone = (t - self.approach_s - self.queues_s - self.stands_s) / self.leaves_s
        if gone <= 0:
            return 1.0
        return 1 - gone * gone if self.fate == "reverses" else 1 + gone * gone


def _ease(part: float) -> float:
    """Slow down towards the end, as a car that stops does."""
    return 1 - (1 - part) ** 2


def place(scene: Scene, trip: Trip, at_s: float) -> Placement | None:
    """Return where a trip's car is in the frame, or None."""
    progress = trip.progress(at_s)
    if progress is None:
        return None
    car = scene.cars[trip.car]
    scale = 0.55 + 0.7 * progress if progress <= 1 else 1.25 + 0.5 * (progress - 1)
    middle_y = scene.height * (-0.25 + 0.8 * progress if progress <= 1 else 0.55 + 1.15 * (progress - 1))
    shift_x = scene.width * (0.5 + trip.side) - scale * PHOTO_WIDTH / 2
    if car.at_border:
        shift_x = scene.width - scale * PHOTO_WIDTH
    return Placement(trip.car, scale, shift_x, middle_y - scale * PHOTO_HEIGHT / 2)


def film(cars: Sequence[Car], trips: Sequence[Trip], *, fps: float, width: int = 640, height: int = 480) -> Scene:
    """Return the scene of these trips; it begins and ends with an empty lane."""
    scene = Scene(width, height, fps, tuple(cars), ())
    length_s = max((trip.ends_s for trip in trips), default=0.0) + 3.0
    frames = []
    for number in range(int(length_s * fps)):
        placements = [p for trip in trips if (p := place(scene, trip, number / fps)) is not None]
        frames.append(tuple(sorted(placements, key=lambda p: p.shift_y + p.scale * PHOTO_HEIGHT)))
    return replace(scene, frames=tuple(frames))


def schedule(
    cars: Sequence[Car], seed: int, *, tailgates: Sequence[int] = (), reverses: Sequence[int] = ()
) -> list[Trip]:
    """Return a trip for each car, one after the other, with seeded times.

    tailgates: indices of cars that come while the one before still stands. reverses: those that go back.
    """
    dice = random.Random(seed)  # noqa: S311  # scenery, not secrets
    trips: list[Trip] = []
    free_s = 1.5
    for index in range(len(cars)):
        approach_s, stands_s, leaves_s = dice.uniform(2.0, 3.0), dice.uniform(1.75, 3.5), dice.uniform(1.4, 2.0)
        side = 0.0 if cars[index].at_border else dice.uniform(-0.08, 0.08)
        fate: Fate = "reverses" if index in reverses else "passes"
        starts_s, queues_s = free_s + dice.uniform(0.5, 2.0), 0.0
        if index in tailgates and trips:
            ahead = trips[-1]
            starts_s = ahead.starts_s + ahead.approach_s + ahead.queues_s * 1.0
            queues_s = max(0.6, ahead.ends_s - ahead.leaves_s * 0.35 - starts_s - approach_s / 2)
        trips.append(Trip(index, starts_s, approach_s, stands_s, leaves_s, fate, queues_s, side))
        free_s = trips[-1].ends_s + 2.0
    return trips
