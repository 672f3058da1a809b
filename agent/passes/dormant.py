"""Passes that outlive the agent's process: what is kept of a told one, and how the next start goes on with it.

A dormant track is a told pass that an earlier run of the agent left open. It waits until its car is found again (`gap`
says which is it), and is then told again under its next revision. Otherwise it is closed as interrupted: nobody saw the
car leave.
"""

from __future__ import annotations

from platefleet.agent.passes import geometry, vote
from platefleet.agent.passes.gap import SAME_PLACE
from platefleet.agent.passes.track import OTHER_PLATE, Track
from platefleet.agent.passes.types import OpenPass, PassSettings
from platefleet.models.reading import Reading
from platefleet.protocol.clock import SECOND_NS, Instant

KEEP_S, KEEP_MOVED_S = 10.0, 2.0
"""How often it is noted that a told car is still there: each note is a write to flash, and 30 s is how old one may be.
Sooner once it is no longer where the note says, which is where it is looked for: usually once, when it has stopped."""
SURE_LOOKS = 2
"""One reading alone may be wrong; from two on another plate is another car."""


def kept(track: Track, size: tuple[int, int]) -> OpenPass:
    """Return what is kept of a told track; size: of the pictures that its boxes are pixels of."""
    return OpenPass(
        pass_id=track.pass_id,
        revision=track.revision,
        reading=track.told or Reading(),
        first=track.first,
        last=track.last,
        size=size,
        began=track.began,
        began_by_plate=track.began_by_plate,
        plate=track.plate,
        plate_confidence=track.plate_confidence,
        vehicle=track.vehicle,
        vehicle_name=track.vehicle_name,
        score=track.score,
        peak=track.peak,
        looks=track.looks,
        plates=track.plates,
        whole=track.whole,
        legible=track.legible,
    )


def is_due(noted: OpenPass, now: OpenPass) -> bool:
    """Whether what was kept of a pass is to be kept anew."""
    since_ns = now.last.mono_ns - noted.last.mono_ns
    then_box, box = noted.plate or noted.vehicle, now.plate or now.vehicle
    moved = then_box is None or box is None or geometry.overlap(then_box, box) <= SAME_PLACE
    return since_ns >= (KEEP_MOVED_S if moved else KEEP_S) * SECOND_NS


def dormant(left: OpenPass, at: Instant, settings: PassSettings) -> Track:
    """Return the track of a pass that was left open.

    What was told of it stands for as many readings as it took to tell it; that it is a vehicle was seen before.
    """
    votes = vote.Votes()
    for _ in range(settings.agree_frames):
        votes = vote.add(votes, left.reading)
    return Track(
        left.pass_id,
        left.first,
        left.last,
        left.began,
        left.began_by_plate,
        plate=left.plate,
        plate_confidence=left.plate_confidence,
        vehicle=left.vehicle,
        vehicle_name=left.vehicle_name,
        looks=left.looks,
        plates=left.plates,
        whole=left.whole,
        legible=left.legible,
        doubted=True,
        moved=True,
        votes=votes,
        score=left.score,
        peak=left.peak,
        revision=left.revision,
        told=left.reading,
        dormant=at,
    )


def is_displaced(track: Track, others: list[Track]) -> bool:
    """Whether another car clearly stands where a dormant track's car stood: it has left."""
    text = vote.consensus(track.votes).text
    if not text or track.plate is None:
        return False
    return any(
        other.plate is not None
        and other.dormant is None
        and not other.missed
        and other.legible >= SURE_LOOKS
        and geometry.overlap(other.plate, track.plate) > 0
        and vote.distance(vote.consensus(other.votes).text, text) >= OTHER_PLATE
        for other in others
    )


def is_shadow(track: Track, others: list[Track]) -> bool:
    """Whether a track that was never told began on a dormant one's car, before that could be read."""
    return track.revision == 0 and any(
        other.dormant is not None and not other.missed and geometry.overlap(track.box, other.box) > SAME_PLACE
        for other in others
    )
