"""What is told of a pass: whether it is one, whether there is news, its last revision, which way it goes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from platefleet.agent.passes import vote
from platefleet.agent.passes.company import is_lettering
from platefleet.agent.passes.track import Track
from platefleet.agent.passes.types import Direction, Effect, Forget, PassSettings, Revise, Unread
from platefleet.models.reading import Reading
from platefleet.protocol.clock import SECOND_NS

STEADY = 0.6
"""The share of looks in which something that never moved must be seen: a car that stands is found again and again."""
CAME, WENT = 0.3, 0.5
"""Progress that is a direction: beyond a detector's jitter; going back wants more, because braking cars dip."""
BETTER = 0.2
"""A reading whose weakest character gained so much confidence is told again."""


def is_vehicle(track: Track, settings: PassSettings) -> bool:
    """Whether a track is of a vehicle that came into the lane.

    It moved; or it was first seen where it stands, later than the first looks. Then it must be seen steadily for a
    while, and be legible or be a vehicle too: what the camera draws into its picture comes and goes, or changes.
    """
    lasted_ns = track.last.mono_ns - track.first.mono_ns
    if track.plates == 0:
        return track.moved and track.looks >= settings.vehicle_looks and lasted_ns >= SECOND_NS
    if is_lettering(track):
        return False
    if track.moved:
        return track.plates >= 2
    steady = track.plates >= STEADY * (track.looks + track.missed_ever)
    real = track.after_gap or track.vehicle is not None or settled(track, settings) is not None
    return not track.found and track.plates >= 2 and steady and real and lasted_ns >= settings.ns(settings.still_s)


def news(track: Track, settings: PassSettings) -> tuple[Reading, Unread | None] | None:
    """Return what is to be told now: a settled reading that is news, or that a standing vehicle stays unread.

    A car that is found again after a restart is told again: who waits at the barrier is decided anew.
    """
    reading = settled(track, settings)
    if track.dormant is not None:
        reading = reading or track.told or Reading()
        return reading, None if reading.characters else unread_why(track)
    if reading is not None:
        told = track.told
        if told is None or told.text != reading.text or reading.minimum - told.minimum >= BETTER:
            return reading, None
        return None
    stands_ns = track.last.mono_ns - track.still_since.mono_ns if track.still_since else 0
    if track.revision == 0 and stands_ns >= settings.ns(settings.unread_after_s):
        return Reading(), unread_why(track)
    return None


def settled(track: Track, settings: PassSettings) -> Reading | None:
    """Return the voted reading if enough readings agree with each of its characters and none of them is a guess."""
    reading = vote.consensus(track.votes)
    agree = vote.agreeing(track.votes, reading) >= settings.agree_frames
    sure = reading.mean >= settings.least_mean and reading.minimum >= settings.settled_minimum
    return reading if agree and sure else None


def closed(tracks: Iterable[Track], settings: PassSettings) -> tuple[Effect, ...]:
    """Tell the last revisions of passes whose vehicles nobody saw leave."""
    return tuple(effect for track in tracks for effect in close(track, settings, interrupted=True))


def close(track: Track, settings: PassSettings, *, interrupted: bool) -> list[Effect]:
    """Tell the last revision of a pass, or nothing of what was none."""
    forget = Forget(track.pass_id)
    if track.revision == 0 and not is_vehicle(track, settings):
        return [forget]
    if track.revision == 0 and track.legible == 0 and track.plates and track.plates < 3:
        return [forget]  # two boxes without a legible character are as often a grille as a plate
    reading = settled(track, settings) or (track.told if track.told and track.told.characters else None)
    unread: Unread | None = None if reading else "interrupted" if interrupted else unread_why(track)
    track = replace(track, revision=track.revision + 1)
    return [revise(track, reading or Reading(), unread, final=True, interrupted=interrupted), forget]


def unread_why(track: Track) -> Unread:
    """Return why a vehicle has no settled reading."""
    if track.plates == 0:
        return "no plate"
    if track.whole == 0:
        return "cut by the frame"
    return "unsettled" if track.legible else "illegible"


def direction(track: Track) -> Direction:
    """Return which way a vehicle goes: closer, away (also after it had come closer), or not to be told yet."""
    if track.peak - track.score > WENT or track.score < -CAME:
        return "receding"
    return "approaching" if track.score > CAME else "unknown"


def revise(track: Track, reading: Reading, unread: Unread | None, *, final: bool, interrupted: bool) -> Revise:
    """Return the effect that tells a track's present revision."""
    return Revise(
        pass_id=track.pass_id,
        revision=track.revision,
        final=final,
        interrupted=interrupted,
        captured=track.last,
        first_seen=track.first,
        text=reading.text,
        characters=reading.characters,
        unread=unread,
        direction=direction(track),
        vehicle=track.vehicle_name,
        plate_box=track.plate,
        vehicle_box=track.vehicle,
        plate_confidence=track.plate_confidence,
        frames=track.looks,
    )
