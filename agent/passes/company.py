"""A vehicle has one plate: what else looks like one beside it is lettering, and no pass of its own."""

from __future__ import annotations

from dataclasses import replace
from math import hypot

from platefleet.agent.passes import geometry, vote
from platefleet.agent.passes.track import Track
from platefleet.protocol.clock import SECOND_NS, Instant

BESIDE = 2.5
"""Two plates nearer than this many widths are on one vehicle: cars are 3.5 plate widths wide, and cars behind each
other, which stand 8 apart, still have 3 between them where a camera looks down at 20 degrees."""
FRAGMENT, ALIKE = 4, 0.25
"""A few looks whose text contradicts a told one in at most this share of its characters are no vehicle of their own."""
LATELY_NS = SECOND_NS
"""A better plate may be missed for so long and still stand where it is expected."""
WITHIN = 0.3
"""Overlap from which two vehicle boxes are of one vehicle."""


def rank(track: Track) -> tuple[bool, int, float, float]:
    """Return how much a plate is the one of its vehicle, more is better: told, legible, then the lower one."""
    return track.revision > 0, track.legible, track.box[3], track.plate_confidence


def asided(tracks: list[Track], now: Instant) -> list[Track]:
    """Return the tracks with those counted aside that are seen now beside a better one, itself seen lately."""
    lately = [track for track in tracks if track.plate_at and now.mono_ns - track.plate_at.mono_ns < LATELY_NS]
    aside = {
        worse.pass_id
        for worse in lately
        for better in lately
        if worse.plate_at == now
        and not (better.found and not better.moves)
        and not is_lettering(better)
        and worse is not better
        and rank(better) > rank(worse)
        and _beside(worse, better, now)
    }
    return [replace(track, aside=track.aside + 1) if track.pass_id in aside else track for track in tracks]


def is_lettering(track: Track) -> bool:
    """Whether a track stood beside a better plate most of the time."""
    return track.plates > 0 and track.aside * 2 > track.plates


def is_known(track: Track, others: list[Track]) -> bool:
    """Whether a vehicle without a plate is one that another track follows by its plate."""
    if track.plates or track.revision or track.vehicle is None:
        return False
    now = track.last
    for other in others:
        if other is track or not other.plates:
            continue
        now = max(now, other.last, key=lambda at: at.mono_ns)
        box = track.expected(now)
        if other.plate is not None and geometry.holds(box, geometry.centre(other.plate)):
            return True
        if other.vehicle is not None and geometry.overlap(other.vehicle, box) > WITHIN:
            return True
    return False


def is_fragment(track: Track, others: list[Track]) -> bool:
    """Whether a few looks are of a vehicle that another track tells of: it jumped, and was taken for another."""
    if track.revision or not track.legible or track.plates > FRAGMENT:
        return False
    text = vote.consensus(track.votes).text
    return any(
        other is not track
        and other.told is not None
        and other.last.mono_ns >= track.first.mono_ns
        and vote.differing(other.told.text, text) <= ALIKE * min(len(other.told.text), len(text))
        for other in others
    )


def _beside(worse: Track, better: Track, now: Instant) -> bool:
    (ax, ay), (bx, by) = geometry.centre(worse.box), geometry.centre(better.expected(now))
    return hypot(ax - bx, ay - by) < BESIDE * geometry.width(better.box)
