"""Tracks: what was seen of one vehicle, frame after frame, and which of a frame's boxes belong to which track."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from platefleet.agent.passes import geometry, motion, vote
from platefleet.agent.passes.types import Box, Look, PassSettings, PlateSeen, Point, VehicleSeen
from platefleet.models.reading import Reading
from platefleet.protocol.clock import SECOND_NS, Instant

PARKED_LOOKS = 3
"""What stood there from the start has moved only if it is elsewhere for several looks: boxes jump at times."""
REACH, REACH_PER_S, REACH_MOST = 0.9, 3.0, 3.0
"""How far, in plate widths, a plate may be from where it was expected: a bit, more with time, and never a lane away."""
PARKED_REACH, PARKED_LARGER = 0.35, 1.3
"""The same for what has stood since the lane was first looked at: what is further away came by and is another."""
PARKED_NS = SECOND_NS
"""Seen for so long without moving, it has stood; until then it may be a car that is just driving in."""
SAME_TEXT_REACH = 6.0
"""A plate that reads the same may have jumped further: frames were dropped."""
OTHER_PLATE = 3
"""Characters that one reading of 1,000 gets wrong at once where one character in 30 is misread."""
LARGER = 2.0
"""The most that a plate's width may change between two looks, as a ratio."""
CLEAR, CLEAR_AGAIN = 0.04, 0.08
"""A plate is whole if its box ends this many of its widths before the frame's edge: half a character, because boxes
jitter; once it was cut, the double."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing in one look: a plate, a vehicle, or a plate on its vehicle.

    clear: how far the plate is from the frame's edge, in its widths, less what the settings ask for. legible: not cut,
    and reads like a plate.
    """

    plate: PlateSeen | None
    vehicle: VehicleSeen | None
    clear: float = 0.0
    legible: bool = False


@dataclass(frozen=True, slots=True)
class Track:
    """What is known of one vehicle, under the id that its pass has or would have.

    score: how far it came along the lane since it began, in its own widths and in how much larger it grew; peak: the
    most of it. first, last, plate_at: when it, and its plate, was seen. plate, vehicle: its newest boxes, or None if
    never found. speed: of its plate (or vehicle) in pixels per second. began: its first box, by which `moved` and the
    direction are judged. looks, plates, whole, legible: in how many looks there was anything, a plate, an uncut plate,
    a legible one. missed, missed_ever: looks without it, in a row and altogether. found: it was there when the lane was
    first looked at. moves: looks in a row that were away from where it began. after_gap: it was first seen when the
    camera came back. anchor, anchor_at: where and when it last came to rest. cut: the border cut its newest plate.
    aside: looks in which a more plate-like one was on the same vehicle. dormant: when an earlier run of the agent
    handed it over; None once it was seen in this one.
    """

    pass_id: str
    first: Instant
    last: Instant
    began: Box
    began_by_plate: bool
    plate: Box | None = None
    plate_at: Instant | None = None
    plate_confidence: float = 0.0
    vehicle: Box | None = None
    vehicle_name: str | None = None
    speed: Point = (0.0, 0.0)
    anchor: Box | None = None
    anchor_at: Instant | None = None
    looks: int = 0
    missed: int = 0
    missed_ever: int = 0
    plates: int = 0
    whole: int = 0
    legible: int = 0
    doubted: bool = False
    found: bool = False
    after_gap: bool = False
    moves: int = 0
    moved: bool = False
    cut: bool = False
    aside: int = 0
    votes: vote.Votes = field(default_factory=vote.Votes)
    best_width: float = 0.0
    score: float = 0.0
    peak: float = 0.0
    revision: int = 0
    told: Reading | None = None
    dormant: Instant | None = None

    @property
    def still_since(self) -> Instant | None:
        """When it came to rest, or None if it has not rested for a second."""
        if self.anchor_at is None or self.last.mono_ns - self.anchor_at.mono_ns < motion.RESTS_S * SECOND_NS:
            return None
        return self.anchor_at

    @property
    def box(self) -> Box:
        """The box that it is followed by: the plate's if it has one."""
        return self.plate or self.vehicle or self.began

    def expected(self, now: Instant) -> Box:
        """Return where the followed box should be now; after a second of silence it is expected to have stopped."""
        seconds = min(1.0, max(0, now.mono_ns - self.last.mono_ns) / SECOND_NS)
        return geometry.moved(self.box, (self.speed[0] * seconds, self.speed[1] * seconds))


def things(look: Look, settings: PassSettings) -> list[Seen]:
    """Return what of a look lies in the lane: each plate, with its vehicle if it has one, then vehicles without.

    A plate that does not read like one is kept: it may be out of focus. Which of two on one vehicle is its plate,
    `company` tells over several looks.
    """
    found: list[Seen] = []
    for plate in look.plates:
        middle = geometry.centre(plate.box)
        if not geometry.inside(settings.polygon, (middle[0] / look.width, middle[1] / look.height)):
            continue
        away_px = min(geometry.clearance(box, look.width, look.height) for box in (plate.box, plate.detected))
        clear = (away_px - settings.border_px) / geometry.width(plate.box)
        vehicle = None if plate.vehicle is None else look.vehicles[plate.vehicle]
        found.append(Seen(plate, vehicle, clear, clear > CLEAR and legible(plate.reading, settings)))
    carried = {plate.vehicle for plate in look.plates}
    for index, vehicle in enumerate(look.vehicles):
        foot = ((vehicle.box[0] + vehicle.box[2]) / 2, vehicle.box[3] * 0.75 + vehicle.box[1] * 0.25)
        tall = geometry.height(vehicle.box) >= settings.least_vehicle_height * look.height
        stands = geometry.inside(settings.polygon, (foot[0] / look.width, foot[1] / look.height))
        if tall and stands and index not in carried:
            found.append(Seen(None, vehicle))
    return found


def legible(reading: Reading, settings: PassSettings) -> bool:
    """Whether a reading is more than noise: long and sure enough, and with a digit where plates have one."""
    return (
        len(reading.characters) >= settings.least_length
        and reading.mean >= settings.least_mean
        and reading.minimum >= settings.least_minimum
        and (not settings.needs_digit or any(symbol.isdigit() for symbol in reading.text))
    )


def cost(track: Track, seen: Seen, now: Instant) -> float | None:
    """Return how badly `seen` fits `track`, lower is better; None if it is another vehicle."""
    if seen.plate is not None and track.plate is not None:
        return _plate_cost(track, track.plate, seen.plate, now, legible=seen.legible)
    if seen.plate is not None:
        held = track.vehicle is not None and geometry.holds(track.vehicle, geometry.centre(seen.plate.box))
        return 1.0 if held else None
    if seen.vehicle is None:
        return None
    if track.plate is not None and geometry.holds(seen.vehicle.box, geometry.centre(track.plate)):
        return 1.5 + (track.aside > 0)
    shared = geometry.overlap(track.vehicle, seen.vehicle.box) if track.vehicle is not None else 0.0
    return 2.0 - shared if shared > 0.3 else None


def _plate_cost(track: Track, before: Box, plate: PlateSeen, now: Instant, *, legible: bool) -> float | None:
    """Compare plates: one that reads clearly different is another car's, also where this one's was a moment ago."""
    larger = geometry.width(plate.box) / geometry.width(before)
    parked = track.found and not track.moved and track.last.mono_ns - track.first.mono_ns >= PARKED_NS
    most = PARKED_LARGER if parked else LARGER
    if not 1 / most <= larger <= most or (legible and contradicts(track, plate.reading)):
        return None
    same = legible and track.votes.frames(plate.reading.text) > 0
    seconds = max(0, now.mono_ns - track.last.mono_ns) / SECOND_NS
    off = geometry.apart(track.expected(now), plate.box)
    reach = SAME_TEXT_REACH if same else min(REACH_MOST, REACH + REACH_PER_S * seconds)
    if parked and not same:
        reach = PARKED_REACH
    return None if off > reach else off - 2.0 * same


def contradicts(track: Track, reading: Reading) -> bool:
    """Whether a legible reading is of another plate than the track's.

    Plates of one series share their first half: three other characters are another plate once the track's own text
    was read twice.
    """
    if track.legible == 0:
        return False
    mine = vote.consensus(track.votes).text
    other = vote.differing(mine, reading.text)
    return other >= OTHER_PLATE if track.legible > 1 else other * 2 > len(mine)


def match(tracks: tuple[Track, ...], found: list[Seen], now: Instant) -> tuple[dict[int, Seen], list[Seen]]:
    """Return which thing belongs to which track, by the track's index, and the things that belong to none.

    Best pairs first. A vehicle alone that overlaps a vehicle already taken, or holds its plate, is the same one found
    twice and is left out.
    """
    pairs = [
        (fit, i, j)
        for i, track in enumerate(tracks)
        for j, s in enumerate(found)
        if (fit := cost(track, s, now)) is not None
    ]
    taken: dict[int, Seen] = {}
    used: set[int] = set()
    for _, i, j in sorted(pairs):
        if i not in taken and j not in used:
            taken[i] = found[j]
            used.add(j)
    rest = []
    for j, seen in enumerate(found):
        if j in used:
            continue
        if seen.plate is None and seen.vehicle is not None and _is_known(seen.vehicle.box, tracks, taken):
            continue
        rest.append(seen)
    return taken, rest


def _is_known(box: Box, tracks: tuple[Track, ...], taken: dict[int, Seen]) -> bool:
    for i, seen in taken.items():
        near = seen.plate.box if seen.plate else tracks[i].plate
        if near and geometry.holds(box, geometry.centre(near)):
            return True
        if seen.vehicle and geometry.overlap(seen.vehicle.box, box) > 0.3:
            return True
    return False


def begin(pass_id: str, seen: Seen, look: Look, approach: Point, *, found: bool, after_gap: bool) -> Track:
    """Return the track that begins with `seen`."""
    box = seen.plate.box if seen.plate else seen.vehicle.box if seen.vehicle else (0.0, 0.0, 0.0, 0.0)
    track = Track(pass_id, look.at, look.at, box, seen.plate is not None, found=found, after_gap=after_gap)
    return follow(track, seen, look, approach)


def follow(track: Track, seen: Seen, look: Look, approach: Point) -> Track:
    """Return the track with one more look at it. Cut-off plates are counted and never read."""
    plate, vehicle = seen.plate, seen.vehicle
    began, began_by_plate = track.began, track.began_by_plate
    if plate is not None and not began_by_plate:
        began, began_by_plate = plate.box, True
    box = plate.box if plate else vehicle.box if vehicle else track.box
    same_kind = (plate is not None) == (track.plate is not None) or track.looks == 0
    speed = track.speed
    if same_kind and track.looks:
        speed = motion.speed(track.speed, (track.box, track.last), (box, look.at))
    rests = same_kind and track.anchor is not None and motion.rests(track.anchor, box)
    cut = seen.clear <= (CLEAR_AGAIN if track.cut else CLEAR) if plate is not None else track.cut
    reads = plate is not None and seen.legible and not cut
    votes = vote.add(track.votes, plate.reading) if plate is not None and reads else track.votes
    same_end = (plate is not None) == began_by_plate
    score = motion.progress(began, box, approach) if same_end else track.score
    moves = track.moves
    if same_end:
        moves = moves + 1 if motion.has_moved(began, box, found=track.found) else 0
    return replace(
        track,
        score=score,
        peak=max(score, track.peak if began is track.began else 0.0),
        last=look.at,
        began=began,
        began_by_plate=began_by_plate,
        plate=plate.box if plate else track.plate,
        plate_at=look.at if plate else track.plate_at,
        plate_confidence=plate.confidence if plate else track.plate_confidence,
        vehicle=vehicle.box if vehicle else track.vehicle,
        vehicle_name=vehicle.name if vehicle else track.vehicle_name,
        speed=speed,
        anchor=track.anchor if rests or not same_kind else box,
        anchor_at=track.anchor_at if rests or not same_kind else look.at,
        looks=track.looks + 1,
        missed=0,
        plates=track.plates + (plate is not None),
        whole=track.whole + (plate is not None and not cut),
        legible=track.legible + reads,
        cut=cut,
        moves=moves,
        moved=track.moved or moves >= (PARKED_LOOKS if track.found else 1),
        votes=votes,
    )
