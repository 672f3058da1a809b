"""One pass per vehicle: what is told of it, and when. `decide(state, event, settings)` is all of the decision.

A track becomes a pass when it is a vehicle (it came into the lane, rather than having stood there from the start) and
its reading is settled, or when it leaves or stands long without one. What stood there when the lane was first looked at
is parked, or drawn into the picture by the camera, until it moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256

from platefleet.agent.passes import geometry
from platefleet.agent.passes.company import asided, is_fragment, is_known
from platefleet.agent.passes.dormant import dormant, is_displaced, is_shadow, kept
from platefleet.agent.passes.gap import doubted, is_over, resumed
from platefleet.agent.passes.revisions import close, closed, is_vehicle, news, revise
from platefleet.agent.passes.track import Seen, Track, begin, follow, match, things
from platefleet.agent.passes.types import (
    Effect,
    Ended,
    Forget,
    Leave,
    Left,
    Look,
    PassEvent,
    PassSettings,
    Portrait,
    Resumed,
    Standing,
)
from platefleet.protocol.clock import MILLISECOND_NS, SECOND_NS, Instant
from platefleet.protocol.ids import uuid7

TRACKS = 24
"""Tracks of one lane at a time; beyond, the one that was unseen for longest and never told gives way."""
FIRST_LOOKS, FIRST_S = 3, 2.0
"""What is seen in the first looks and seconds was there before; more than one, because detectors miss things now and
then. A car that drives in meanwhile is told by its moving."""
GAP_S = 1.0
"""Longer between two looks than this, and a car may have come and stopped unseen."""
PARKED_S = 600.0
"""How long something parked is remembered where it stood: lights and rain hide it for minutes."""
FLEETING_LOOKS, FLEETING_S = 2, 0.5
"""What was seen so few times is soon forgotten: one misread frame must not wait for the next car's plate."""
LARGER = 1.15
"""A portrait is replaced by one this much wider."""


@dataclass(frozen=True, slots=True)
class LaneState:
    """What a lane remembers.

    seed: makes its ids unlike any other lane's, and any other start's; given: how many. first, last: its looks. size:
    of their pictures.
    """

    seed: str
    tracks: tuple[Track, ...] = ()
    looks: int = 0
    given: int = 0
    first: Instant | None = None
    last: Instant | None = None
    size: tuple[int, int] = (0, 0)


def decide(state: LaneState, event: PassEvent, settings: PassSettings) -> tuple[LaneState, tuple[Effect, ...]]:
    """Return the lane's next state and what to do, in order. A look from before the last one changes nothing."""
    match event:
        case Resumed():
            stale = [dormant(left, event.at, settings) for left in event.stale]
            fresh = [dormant(left, event.at, settings) for left in event.fresh]
            size = event.fresh[0].size if event.fresh else state.size
            return replace(state, tracks=(*state.tracks, *fresh), size=size), closed(stale, settings)
        case Left():
            leave = [Leave(each.pass_id, kept(each, state.size)) for each in state.tracks if each.revision]
            untold = [track for track in state.tracks if not track.revision]
            return replace(state, tracks=()), (*leave, *closed(untold, settings))
        case Ended():
            return replace(state, tracks=()), closed(state.tracks, settings)
    if state.last is not None and event.at.mono_ns <= state.last.mono_ns:
        return state, ()
    state, over = _expired(state, event.at, settings)
    return _looked(state, event, settings, over) if isinstance(event, Look) else (state, tuple(over))


def _looked(
    state: LaneState, event: Look, settings: PassSettings, over: list[Effect]
) -> tuple[LaneState, tuple[Effect, ...]]:
    """Follow every track by one look, and tell what it shows of each."""
    first = state.first or event.at
    found = state.looks < FIRST_LOOKS or event.at.mono_ns - first.mono_ns < settings.ns(FIRST_S)
    after_gap = state.last is not None and event.at.mono_ns - state.last.mono_ns > settings.ns(GAP_S)
    tracks = doubted(state.tracks, state.last, event.at)
    taken, rest = _matched(tracks, things(event, settings), event.at)
    followed = [_followed(track, taken.get(index), event, settings) for index, track in enumerate(tracks)]
    for number, thing in enumerate(rest, state.given):
        pass_id = _id(state.seed, number, event.at)
        followed.append(begin(pass_id, thing, event, settings.approach, found=found, after_gap=after_gap))
    going: list[Track] = []
    effects = over
    followed, dropped = _bounded(asided(followed, event.at))
    for before in followed:
        if is_known(before, followed) or is_shadow(before, followed):
            effects.append(Forget(before.pass_id))
        elif before.dormant is not None and before.missed:
            if is_displaced(before, followed):
                effects += close(before, settings, interrupted=True)
            else:
                going.append(before)
        elif before.missed and _is_gone(before, event, settings):
            fragment = is_fragment(before, followed)
            effects += [Forget(before.pass_id)] if fragment else close(before, settings, interrupted=False)
        else:
            track, told = (before, []) if before.missed else _seen(before, event, settings)
            going.append(track)
            effects += told
    effects += closed(dropped, settings)
    given, size = state.given + len(rest), (event.width, event.height)
    return LaneState(state.seed, tuple(going), state.looks + 1, given, first, event.at, size), tuple(effects)


def _expired(state: LaneState, now: Instant, settings: PassSettings) -> tuple[LaneState, list[Effect]]:
    """Close what was not seen for too long as interrupted: the camera was away, and nobody saw it leave."""
    over = [track for track in state.tracks if is_over(track, now)]
    going = tuple(track for track in state.tracks if track not in over)
    return replace(state, tracks=going), list(closed(over, settings))


def _matched(tracks: tuple[Track, ...], found: list[Seen], now: Instant) -> tuple[dict[int, Seen], list[Seen]]:
    """Match as usual; a track in doubt goes on only with what proves to be the same."""
    back = resumed(tracks, found)
    sure = [index for index, track in enumerate(tracks) if not track.doubted]
    others = [thing for thing in found if all(thing is not known for known in back.values())]
    taken, rest = match(tuple(tracks[index] for index in sure), others, now)
    return {**back, **{sure[place]: thing for place, thing in taken.items()}}, rest


def _followed(track: Track, thing: Seen | None, look: Look, settings: PassSettings) -> Track:
    if thing is None:
        return replace(track, missed=track.missed + 1, missed_ever=track.missed_ever + 1)
    return follow(replace(track, doubted=False), thing, look, settings.approach)


def _seen(track: Track, look: Look, settings: PassSettings) -> tuple[Track, list[Effect]]:
    """Tell what this look shows of a track: a portrait, a revision if there is news, that it still stands."""
    effects: list[Effect] = []
    if not is_vehicle(track, settings):
        return track, effects
    wide = _shown_width(track, look)
    if wide > track.best_width * LARGER:
        track = replace(track, best_width=wide)
        effects.append(Portrait(track.pass_id, track.plate, track.vehicle))
    fresh = news(track, settings)
    if fresh is not None and (track.dormant is not None or track.revision < settings.revisions):
        reading, unread = fresh
        track = replace(track, revision=track.revision + 1, told=reading, dormant=None)
        left = kept(track, (look.width, look.height))
        effects.append(replace(revise(track, reading, unread, final=False, interrupted=False), open=left))
    elif track.revision:
        effects.append(Standing(track.pass_id, look.at, kept(track, (look.width, look.height))))
    return track, effects


def _shown_width(track: Track, look: Look) -> float:
    """Return how well the newest boxes show it: the plate's width if it is whole, far less for a vehicle alone."""
    if track.plate is not None and track.last is look.at:
        return geometry.width(track.plate) * (0.1 if track.cut else 1.0)
    return geometry.width(track.box) * 0.01


def _is_gone(track: Track, look: Look, settings: PassSettings) -> bool:
    """Whether a track that this look does not show has left: later if it stood inside the picture, maybe hidden."""
    unseen_ns = look.at.mono_ns - track.last.mono_ns
    if track.found and not track.moved:
        return unseen_ns > PARKED_S * SECOND_NS
    if track.revision == 0 and track.looks <= FLEETING_LOOKS:
        return track.missed >= settings.gone_looks and unseen_ns >= settings.ns(FLEETING_S)
    clear_px = geometry.clearance(track.box, look.width, look.height)
    stood = track.still_since is not None and clear_px > geometry.width(track.box) * 0.25
    return track.missed >= settings.gone_looks and unseen_ns >= settings.ns(
        settings.hidden_s if stood else settings.gone_s
    )


def _bounded(tracks: list[Track]) -> tuple[list[Track], list[Track]]:
    """Return the tracks that are kept, and those that give way."""
    if len(tracks) <= TRACKS:
        return tracks, []
    ranked = sorted(tracks, key=lambda track: (track.revision > 0, track.last.mono_ns), reverse=True)
    dropped = {id(track) for track in ranked[TRACKS:]}
    return [t for t in tracks if id(t) not in dropped], ranked[TRACKS:]


def _id(seed: str, number: int, at: Instant) -> str:
    return uuid7(at.utc_ns // MILLISECOND_NS, sha256(f"{seed}/{number}".encode()).digest())
