"""What a clip shows, as numbers: which car is where in which frame. Seeded, without a pixel.

A car is one of the barrier photos, moved and scaled over an empty lane: it comes from the top, stops before the
barrier, and drives off over the bottom edge. Coordinates of a photo become those of a frame by `scale · x + shift`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from platefleet.deploy.demo.cars import BODY, CUT, PHOTO_HEIGHT, PHOTO_WIDTH, STANDS, TWICE, WHOLE

Fate = Literal["passes", "reverses"]
COMES, GONE = -0.2, 2.2
"""Where cars begin and end: their plates' height in the picture, 0 its upper and 1 its lower edge."""
BRAKES, STARTS, FASTEST = 0.8, 1.5, 1.8
"""How cars brake and start, and how fast they leave, in picture heights per second (squared)."""
CLEAR = 1.4
"""Where a car that leaves is when the next one comes, unless that one tailgates."""
STEPS = 4
"""Steps of the drive's arithmetic in one frame."""


@dataclass(frozen=True, slots=True)
class Car:
    """A car of a clip. photo: file name's stem; plate: what can be read on it, None for nothing.

    covered: its plate cannot be read. at_border: its photo's right edge stays at the picture's, which cuts the car.
    """

    name: str
    photo: str
    plate: str | None
    covered: bool = False
    at_border: bool = False


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
    """A whole clip: for each frame its cars, the furthest first; arm: for each frame how far the barrier is up, 0–1."""

    width: int
    height: int
    fps: float
    cars: tuple[Car, ...]
    frames: tuple[tuple[Placement, ...], ...] = ()
    arm: tuple[float, ...] = ()

    def shown(self, car: int) -> tuple[int, int]:
        """Return the first and the last frame in which a part of the car is in the picture."""
        visible = [
            number
            for number, placements in enumerate(self.frames)
            for placement in placements
            if placement.car == car and self._reaches_in(placement)
        ]
        return visible[0], visible[-1]

    def _reaches_in(self, placement: Placement) -> bool:
        plate_low = STANDS[self.cars[placement.car].photo].middle[1] + 20
        _, y1, _, y2 = placement.box((0, -BODY, PHOTO_WIDTH, min(plate_low, PHOTO_HEIGHT)))
        return y2 > 0 and y1 < self.height


@dataclass(frozen=True, slots=True)
class Trip:
    """One car's way. pause_s: how long after the car before it comes; tailgates: at once, as close as it can.

    stands_s: at the barrier. speed: picture heights per second. side: how far right of the lane's middle, in picture
    widths. stop: where its plate stands, in picture heights.
    """

    car: int
    pause_s: float
    stands_s: float
    speed: float = 0.9
    fate: Fate = "passes"
    tailgates: bool = False
    side: float = 0.0
    stop: float = 0.52


def place(scene: Scene, trip: Trip, y: float, zoom: float) -> Placement:
    """Return where a car is in a frame whose plate is at height `y`: the closer, the larger."""
    car = scene.cars[trip.car]
    stand = STANDS[car.photo]
    wide_px = scene.width * zoom * (0.135 + 0.13 * min(y, 1.0))
    scale = wide_px / stand.wide
    shift_x = scene.width * (0.45 + trip.side) - scale * stand.middle[0]
    if car.at_border:
        shift_x = scene.width - scale * PHOTO_WIDTH
    return Placement(trip.car, scale, shift_x, scene.height * y - scale * stand.middle[1])


def _length(scene: Scene, trip: Trip, zoom: float) -> float:
    """Return how far behind a car's plate its painted body ends, in picture heights, with a step's distance."""
    scale = place(scene, trip, 1.0, zoom).scale
    return scale * (STANDS[scene.cars[trip.car].photo].middle[1] + BODY) / scene.height + 0.06


def drive(trip: Trip, start: int, ahead: Mapping[int, float], gap: float, fps: float) -> dict[int, float]:
    """Return a car's plate height by frame. ahead: that of the car before it, which it stays `gap` behind."""
    step_s = 1 / fps / STEPS
    y, speed, stood_s, goes = COMES, trip.speed, 0.0, False
    heights: dict[int, float] = {}
    frame = start
    while COMES - 0.01 <= y <= GONE:
        heights[frame] = y
        free = ahead[frame] - gap if frame in ahead else GONE + 1
        for _ in range(STEPS):
            if goes and trip.fate == "reverses":
                speed = max(-trip.speed, speed - BRAKES * step_s)
            else:
                room = (free if goes else min(free, trip.stop)) - y
                wanted = FASTEST if goes else trip.speed
                speed = min(wanted, speed + STARTS * step_s, (2 * BRAKES * max(0.0, room)) ** 0.5)
            y += speed * step_s
            stood_s += step_s * (trip.stop - y < 0.01)
            goes = goes or stood_s > trip.stands_s
        frame += 1
    return heights


def film(
    cars: Sequence[Car],
    trips: Sequence[Trip],
    *,
    fps: float,
    width: int = 640,
    height: int = 480,
    zoom: float = 1.0,
    empty_s: float = 1.0,
) -> Scene:
    """Return the scene of these trips in this order; it begins and ends with an empty lane. zoom: 1 shows one car."""
    scene = Scene(width, height, fps, tuple(cars))
    ways: list[dict[int, float]] = []
    ahead: dict[int, float] = {}
    gap = 0.0
    for trip in trips:
        start = _clear(ahead, int(empty_s * fps)) + round(trip.pause_s * fps)
        if trip.tailgates and ahead:
            start = min(ahead) + round(trip.pause_s * fps)
            while ahead.get(start, GONE) - gap < COMES:
                start += 1
        ahead = drive(trip, start, ahead, gap, fps)
        gap = _length(scene, trip, zoom)
        ways.append(ahead)
    count = max((max(way) for way in ways), default=0) + 1 + int(empty_s * fps)
    frames = []
    for number in range(count):
        here = [(way[number], trip) for trip, way in zip(trips, ways, strict=True) if number in way]
        here.sort(key=lambda entry: entry[0])
        frames.append(tuple(place(scene, trip, y, zoom) for y, trip in here))
    return replace(scene, frames=tuple(frames), arm=_arm(trips, ways, count, fps))


def _clear(ahead: Mapping[int, float], empty: int) -> int:
    """Return the first frame in which the car ahead makes room for the next one."""
    if not ahead:
        return empty
    return next((number for number, y in ahead.items() if y > CLEAR), max(ahead) + 1)


def _arm(trips: Sequence[Trip], ways: Sequence[dict[int, float]], count: int, fps: float) -> tuple[float, ...]:
    """Return how far the barrier is up in each frame: it lets each car through and comes down behind it."""
    up = 0.0
    angles = []
    early = int(0.5 * fps)
    for number in range(count):
        through = any(
            trip.fate == "passes" and (way.get(number + early, 0.0) > trip.stop + 0.005 and way.get(number, 9.9) < 1.6)
            for trip, way in zip(trips, ways, strict=True)
        )
        up = min(1.0, max(0.0, up + (2.0 if through else -2.0) / fps))
        angles.append(up)
    return tuple(angles)


def demo_scene(seed: int, fps: float) -> Scene:
    """Return the demo's clip: twelve cars and all that may happen at a barrier, about 37 s.

    Two tailgate, one reverses, one comes back later, one has a plate that nobody can read, one is cut by the border.
    """
    dice = random.Random(seed)  # noqa: S311 - scenery, not secrets
    twice = TWICE[0]
    photos = dice.sample([name for name in WHOLE if name != twice], 9)
    fleet = [Car(f"car {photo[-4:]}", photo, STANDS[photo].plate) for photo in photos]
    cars = [*fleet[:2], Car("car 0130", twice, STANDS[twice].plate), *fleet[2:]]
    cars[8] = replace(cars[8], name=f"muddy car {cars[8].photo[-4:]}", plate=None, covered=True)
    cars.insert(6, Car("cut car 0184", CUT, None, at_border=True))
    cars.append(replace(cars[2], name="car 0130 again"))
    trips = [
        Trip(
            index,
            pause_s=0.0,
            stands_s=dice.uniform(0.5, 0.9),
            speed=dice.uniform(0.85, 1.0),
            fate="reverses" if index == 5 else "passes",
            tailgates=index == 4,
            side=dice.uniform(-0.06, 0.06),
            stop=dice.uniform(0.5, 0.56),
        )
        for index in range(len(cars))
    ]
    return film(cars, trips, fps=fps)
