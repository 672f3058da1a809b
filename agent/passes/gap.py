"""After a gap in the pictures nobody knows who stands there: a pass goes on only for a car that proves to be the same.

While the camera is away a car may leave and another take its place. If the first one's pass went on, its record would
be announced again with a fresh age, and a barrier could open for the second car on the first one's plate. The agent's
own restart is a gap too: the passes that it left open are dormant until their cars are found.
"""

from __future__ import annotations

from dataclasses import replace

from platefleet.agent.passes import geometry, vote
from platefleet.agent.passes.track import Seen, Track
from platefleet.protocol.clock import SECOND_NS, Instant

BLIND_S = 2.0
"""A gap between two looks from which on tracks are doubted: quicker than a car leaves and another one stands there."""
RESUME_S = 30.0
"""What was not seen for so long is over (DESIGN.md, "Plate events")."""
ALIKE = 1
"""Characters that one reading may have wrong and still be the same plate."""
SAME_PLACE = 0.5
"""Overlap from which a vehicle without a legible plate is the one that stood there; it opens nothing."""


def doubted(tracks: tuple[Track, ...], last: Instant | None, now: Instant) -> tuple[Track, ...]:
    """Return the tracks, each of them in doubt if nothing was seen for too long before `now`."""
    if last is None or now.mono_ns - last.mono_ns <= BLIND_S * SECOND_NS:
        return tracks
    return tuple(replace(track, doubted=True) for track in tracks)


def is_over(track: Track, now: Instant) -> bool:
    """Whether a track was not seen for longer than a pass may be resumed; what is parked is remembered elsewhere."""
    if track.found and not track.moved:
        return False
    since = track.dormant or track.last
    return now.mono_ns - since.mono_ns > RESUME_S * SECOND_NS


def resumed(tracks: tuple[Track, ...], things: list[Seen]) -> dict[int, Seen]:
    """Return which doubted tracks go on, by their index, and with which thing; nobody gets two."""
    back: dict[int, Seen] = {}
    used: set[int] = set()
    for same in (_reads_the_same, _is_same):
        for index, track in enumerate(tracks):
            if not track.doubted or index in back:
                continue
            for number, thing in enumerate(things):
                if number not in used and same(track, thing):
                    back[index] = thing
                    used.add(number)
                    break
    return back


def _reads_the_same(track: Track, thing: Seen) -> bool:
    """Whether a dormant track's very plate is seen, wherever in the lane: its car drove on while the agent restarted.

    As another pass it would open the barrier a second time, behind the car.
    """
    if track.dormant is None or thing.plate is None or not thing.legible:
        return False
    return vote.consensus(track.votes).text == thing.plate.reading.text


def _is_same(track: Track, thing: Seen) -> bool:
    text = vote.consensus(track.votes).text
    if text:
        if thing.plate is None or track.plate is None or not thing.legible:
            return False
        alike = vote.distance(text, thing.plate.reading.text) <= ALIKE
        return alike and geometry.overlap(track.plate, thing.plate.box) > 0
    if track.dormant is not None:
        return _stands_there(track, thing)
    box = thing.plate.box if thing.plate else thing.vehicle.box if thing.vehicle else None
    return box is not None and not thing.legible and geometry.overlap(track.box, box) > SAME_PLACE


def _stands_there(track: Track, thing: Seen) -> bool:
    """Whether a vehicle that was told unread before a restart still stands there; it may be legible by now."""
    if track.plate is not None and thing.plate is not None:
        return geometry.overlap(track.plate, thing.plate.box) > SAME_PLACE
    if track.vehicle is not None and thing.vehicle is not None:
        return geometry.overlap(track.vehicle, thing.vehicle.box) > SAME_PLACE
    return False
