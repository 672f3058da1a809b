"""Fifty seeded clips as the pass machine gets them: what the models see on each photo, moved with its car, and spoiled.

Spoiled means: boxes jitter and are clipped at the border, detections are missed, characters are taken for look-alikes
with the confidence that such a mistake has, the barrier's arm and the car in front hide what is behind them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import cos, radians, sin

from platefleet.agent.passes.types import Look, PlateSeen, VehicleSeen
from platefleet.deploy.demo.cars import BODY, CUT, STANDS, TWICE
from platefleet.deploy.demo.scene import Car, Placement, Scene, Trip, film
from platefleet.models.reading import Character, Reading
from platefleet.protocol.clock import SECOND_NS, Instant
from tests.scenarios.sightings import Box, PhotoSeen

LOOK_ALIKES = {a: pair.replace(a, "") for pair in ("0ODQ", "1I", "8B", "5S", "2Z", "6G", "7T", "3B") for a in pair}
NOON = 1_800_000_000 * SECOND_NS
PARKED = "carlong_0133"


@dataclass(frozen=True)
class Spoiling:
    """How bad a clip's camera is. Chances are per frame; `misread` per character."""

    missed: float = 0.06
    misread: float = 0.015
    jitter: float = 0.012
    vehicles: float = 0.3


@dataclass
class Clip:
    """A scene, how it is spoiled, and what else stands in the picture without ever being a pass."""

    seed: int
    scene: Scene
    spoiling: Spoiling
    distractors: tuple[PlateSeen, ...] = ()
    reversing: frozenset[int] = frozenset()
    lettering: frozenset[int] = frozenset()
    """Cars, by number, with words above their plate that look like a plate to the detector."""
    readable: dict[int, int] = field(default_factory=dict)
    """By car: the first frame in which its whole plate was found and read with nothing hidden."""


def random_clip(seed: int) -> Clip:
    """Return one of the fifty: five to eight cars, one of each kind of trouble more often than life has it."""
    dice = random.Random(seed)
    photos = dice.sample(sorted(set(STANDS) - {CUT, TWICE[1], PARKED}), dice.randint(4, 6))
    cars = [Car(f"car {photo[-4:]}", photo, STANDS[photo].plate) for photo in photos]
    if seed % 5 == 0:
        cars.insert(dice.randrange(len(cars)), Car("cut car", CUT, None, at_border=True))
    if seed % 10 == 3:
        cars.insert(dice.randrange(len(cars)), Car("muddy car", PARKED, None, covered=True))
    if seed % 3 == 1:
        cars = [Car("car 0130", TWICE[0], STANDS[TWICE[0]].plate)] + [car for car in cars if car.photo != TWICE[0]]
        cars.append(Car("car 0130 again", TWICE[1], STANDS[TWICE[1]].plate))
    tailgates = set(dice.sample(range(1, len(cars)), 2 if seed % 2 else 1))
    reverses = dice.randrange(len(cars)) if seed % 4 == 2 else None
    trips = [
        Trip(
            index,
            pause_s=0.0 if index in tailgates else dice.uniform(0.0, 3.0),
            stands_s=dice.choice((0.0, dice.uniform(0.3, 2.0), dice.uniform(2.0, 12.0))),
            speed=dice.uniform(0.3, 0.9),
            fate="reverses" if index == reverses and index + 1 not in tailgates else "passes",
            tailgates=index in tailgates,
            side=dice.uniform(-0.08, 0.08),
            stop=dice.uniform(0.4, 0.6),
        )
        for index in range(len(cars))
    ]
    lettering = frozenset(index for index, car in enumerate(cars) if dice.random() < 0.15 and car.plate)
    fps, zoom = dice.choice((6.0, 8.0, 10.0, 12.5, 15.0)), dice.uniform(0.55, 1.0)
    spoiling = Spoiling(
        dice.choice((0.02, 0.06, 0.12)), dice.choice((0.005, 0.015, 0.03)), 0.012, dice.choice((0.0, 0.3, 0.9))
    )
    scene = film(cars, trips, fps=fps, zoom=zoom)
    back = frozenset(trip.car for trip in trips if trip.fate == "reverses")
    return Clip(seed, scene, spoiling, tuple(_distractors(dice, scene)), back, lettering)


def _distractors(dice: random.Random, scene: Scene) -> Iterator[PlateSeen]:
    if dice.random() < 0.4:  # a parked car's plate in a corner
        yield _still(dice, (scene.width * 0.84, scene.height * 0.1), 60, "51A77529", 0.98)
    if dice.random() < 0.4:  # the camera's own text
        yield _still(dice, (70.0, scene.height - 16.0), 110, "GATE10024", 0.85)


def _still(dice: random.Random, at: tuple[float, float], wide: float, text: str, confidence: float) -> PlateSeen:
    x, y = at[0] + dice.uniform(-5, 5), at[1]
    box = (x - wide / 2, y - wide / 8, x + wide / 2, y + wide / 8)
    return PlateSeen(box, box, 0.6, Reading(tuple(Character(c, confidence) for c in text)))


def looks(clip: Clip, photos: Mapping[str, PhotoSeen]) -> Iterator[Look]:
    """Yield the clip's frames as the pass machine gets them, and note which plates could be read."""
    dice = random.Random(clip.seed * 7919 + 1)
    scene = clip.scene
    for number, placements in enumerate(scene.frames):
        at = round((number + 1) * SECOND_NS / scene.fps)
        vehicles: list[VehicleSeen] = []
        plates: list[PlateSeen] = []
        for place, placement in enumerate(placements):
            in_front = placements[place + 1 :]
            _add(
                clip,
                number,
                placement,
                in_front=in_front,
                photos=photos,
                dice=dice,
                vehicles=vehicles,
                plates=plates,
            )
        plates += [_jittered(p, dice, clip.spoiling) for p in clip.distractors if dice.random() > clip.spoiling.missed]
        plates.sort(key=lambda plate: -plate.confidence)
        yield Look(Instant(NOON + at, at), scene.width, scene.height, tuple(vehicles), tuple(plates))


def _add(
    clip: Clip,
    number: int,
    placement: Placement,
    *,
    in_front: tuple[Placement, ...],
    photos: Mapping[str, PhotoSeen],
    dice: random.Random,
    vehicles: list[VehicleSeen],
    plates: list[PlateSeen],
) -> None:
    scene, car = clip.scene, clip.scene.cars[placement.car]
    seen = photos[car.photo]
    index = _vehicle(clip, placement, seen, dice, vehicles)
    if not seen.plates:
        return
    plate = seen.plates[0]
    whole = placement.box(plate.box)
    box, detected = _clipped(whole, scene), _clipped(placement.box(plate.detected), scene)
    if box is None or detected is None or any(_hides(scene, other, whole) for other in in_front):
        return
    if dice.random() < clip.spoiling.missed:
        return
    reading = _spoiled(plate.reading, whole, clip, number, dice, covered=car.covered)
    if reading is None:
        return
    intact = box == whole and len(reading.characters) == len(plate.reading.characters)
    if intact and reading.text == car.plate:
        clip.readable.setdefault(placement.car, number)
    found = PlateSeen(box, detected, plate.confidence * dice.uniform(0.8, 1.0), reading, index)
    plates.append(_jittered(found, dice, clip.spoiling))
    if placement.car in clip.lettering:
        plates += _lettering(clip, placement, index, dice)


def _lettering(clip: Clip, placement: Placement, index: int | None, dice: random.Random) -> list[PlateSeen]:
    """A firm's name and number on the bonnet, 1.6 plate widths above the plate."""
    stand = STANDS[clip.scene.cars[placement.car].photo]
    (x, y), wide = stand.middle, stand.wide
    words = placement.box((x - 0.4 * wide, y - 1.7 * wide, x + 0.4 * wide, y - 1.5 * wide))
    if _clipped(words, clip.scene) != words or dice.random() < 0.3:
        return []
    text = "TAXI" if placement.car % 2 else "TAXI3838"
    reading = Reading(tuple(Character(symbol, dice.uniform(0.8, 0.99)) for symbol in text))
    return [_jittered(PlateSeen(words, words, dice.uniform(0.3, 0.8), reading, index), dice, clip.spoiling)]


def _vehicle(
    clip: Clip, placement: Placement, seen: PhotoSeen, dice: random.Random, vehicles: list[VehicleSeen]
) -> int | None:
    """Add the car's own box, as a vehicle model that finds it now and then does."""
    if dice.random() >= clip.spoiling.vehicles:
        return None
    stand = STANDS[clip.scene.cars[placement.car].photo]
    (x, y), wide = stand.middle, stand.wide
    name, confidence = seen.vehicles[0][:2] if seen.vehicles else ("car", 0.4)
    body = placement.box((x - 1.4 * wide, y - 2.0 * wide, x + 1.4 * wide, y + 0.4 * wide))
    box = _clipped(body, clip.scene, least=0.3)
    if box is None:
        return None
    vehicles.append(VehicleSeen(box, name, confidence * dice.uniform(0.8, 1.0)))
    return len(vehicles) - 1


def _clipped(box: Box, scene: Scene, least: float = 0.4) -> Box | None:
    x1, y1, x2, y2 = box
    cut = max(0.0, x1), max(0.0, y1), min(float(scene.width), x2), min(float(scene.height), y2)
    left = max(0.0, cut[2] - cut[0]) * max(0.0, cut[3] - cut[1])
    return cut if left >= least * (x2 - x1) * (y2 - y1) else None


def _hides(scene: Scene, other: Placement, plate: Box) -> bool:
    """Whether the body of a car in front hides a plate."""
    stand = STANDS[scene.cars[other.car].photo]
    (x, y), wide = stand.middle, stand.wide
    x1, y1, x2, y2 = other.box((x - 1.4 * wide, -BODY, x + 1.4 * wide, y + 0.4 * wide))
    return x1 < (plate[0] + plate[2]) / 2 < x2 and y1 < plate[3] and plate[1] < y2


def _spoiled(
    reading: Reading, box: Box, clip: Clip, number: int, dice: random.Random, *, covered: bool
) -> Reading | None:
    """Return what is read of a plate in one frame, or None if so much is hidden that it is not found."""
    scene = clip.scene
    x1, y1, x2, y2 = box
    upright = (min(y2, scene.height) - max(y1, 0.0)) / (y2 - y1)
    chance = clip.spoiling.misread + 0.02 * (x2 - x1 < 70) + 0.3 * (upright < 0.7)
    step = (x2 - x1) / max(1, len(reading.characters))
    characters = []
    for place, character in enumerate(reading.characters):
        middle = x1 + (place + 0.5) * step
        if not 0 <= middle <= scene.width or _arm_hides(scene, number, middle, (y1 + y2) / 2, (y2 - y1) / 2):
            continue
        if covered:
            characters.append(Character(dice.choice("0123456789ABC"), dice.uniform(0.1, 0.5)))
        else:
            characters.append(_misread(character, dice) if dice.random() < chance else _doubted(character, dice))
    return Reading(tuple(characters)) if len(characters) * 2 > len(reading.characters) else None


def _arm_hides(scene: Scene, number: int, x: float, y: float, half: float) -> bool:
    if not scene.arm:
        return False
    angle = radians(3 + 75 * scene.arm[number])
    along = (x + 0.02 * scene.width) * cos(angle) - (y - 0.82 * scene.height) * sin(angle)
    across = (x + 0.02 * scene.width) * sin(angle) + (y - 0.82 * scene.height) * cos(angle)
    return 0 <= along <= 0.66 * scene.width and abs(across) < 0.024 * scene.height + half


def _misread(character: Character, dice: random.Random) -> Character:
    """A look-alike with the confidence of a guess; the truth is its alternative."""
    others = LOOK_ALIKES.get(character.text, "0123456789ABCDEFGHKLMNPSTUVXYZ".replace(character.text, ""))
    confidence = dice.uniform(0.4, 0.95)
    return Character(dice.choice(others), confidence, ((character.text, 0.95 * (1 - confidence)),))


def _doubted(character: Character, dice: random.Random) -> Character:
    return Character(character.text, character.confidence * (1 - 0.15 * dice.random() ** 3), character.alternatives)


def _jittered(plate: PlateSeen, dice: random.Random, spoiling: Spoiling) -> PlateSeen:
    wide, tall = plate.box[2] - plate.box[0], plate.box[3] - plate.box[1]

    def shake(box: Box) -> Box:
        # An edge on the border stays there: a detector clips what it finds.
        x1, y1, x2, y2 = box
        return (
            x1 and x1 + dice.gauss(0, spoiling.jitter * wide),
            y1 and y1 + dice.gauss(0, 2 * spoiling.jitter * tall),
            x2 + (dice.gauss(0, spoiling.jitter * wide) if x2 % 640 else 0),
            y2 + (dice.gauss(0, 2 * spoiling.jitter * tall) if y2 % 480 else 0),
        )

    return PlateSeen(shake(plate.box), shake(plate.detected), plate.confidence, plate.reading, plate.vehicle)
