"""What a gate controller must do, as data: each point's steps, and how often each of its plates must open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from platefleet.fleet.conformance.hostile import NO_MESSAGES, OVERSIZED

UNLISTED = -1
"""The plate of a `Say` that is on nobody's list."""
SAME_CAR_MS = 15_000
OVER_MS = 2_000
"""A step that must come after the 15 s does so by this much."""
Need = Literal["broker restart", "controller restart", "other device"]


@dataclass(frozen=True, slots=True)
class Say:
    """Announce one revision of a pass.

    plate: which of the point's plates. number: which of its passes. heard: which beat it says it got. delayed_ms: how
    long the finished message lies in a stalled link. clock: what the device's wall clock says. copies: of the same
    bytes, as QoS 1 may deliver them.
    """

    plate: int = 0
    number: int = 0
    revision: int = 1
    final: bool = False
    unread: bool = False
    direction: Literal["approaching", "receding", "unknown"] = "approaching"
    age_ms: int = 0
    heard: Literal["fresh", "none", "never sent"] = "fresh"
    delayed_ms: int = 0
    clock: Literal["right", "1970", "ahead"] = "right"
    other_device: bool = False
    other_lane: bool = False
    version: int = 1
    body_version: int = 1
    rotten: bool = False
    copies: int = 1
    backfill: bool = False
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass."""

    ms: int


@dataclass(frozen=True, slots=True)
class Raw:
    """Send these bytes on `up/plate`."""

    payload: bytes
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart the broker or the controller by the site's command, and wait until beats come again."""

    what: Literal["broker", "controller"]


@dataclass(frozen=True, slots=True)
class Fence:
    """A good event that must open: whatever was said before has then been judged."""


Step = Say | Wait | Raw | Restart | Fence


@dataclass(frozen=True)
class Point:
    """One thing a controller must do. opens: for each of its plates how often the barrier must open.

    alone: nothing else is said meanwhile, so that what it breaks is its own. needs: what the site must give for it.
    """

    name: str
    why: str
    steps: tuple[Step, ...]
    opens: tuple[int, ...] = (1,)
    alone: bool = False
    needs: frozenset[Need] = frozenset()


BEATS = "beats"
EXPLAINED = "explained"
OVER_THE_RUN = {
    BEATS: "Without a beat a second, numbered one by one, nobody can know how old an event is.",
    EXPLAINED: "A barrier that opens for nothing that was announced lets in anybody.",
}
"""Points that are judged over everything that was seen."""


def points(limit_ms: int) -> tuple[Point, ...]:
    """Return the points that have steps, in the order in which they are played. limit_ms: the site's age limit."""
    stands = (Say(), Wait(700), Say(), Wait(700), Say())
    late = limit_ms + 1000
    half = Say(age_ms=limit_ms // 2)
    standing: tuple[Step, ...] = (Say(),)
    for _ in range((SAME_CAR_MS + OVER_MS) // 2000 + 1):
        standing += (Wait(2000), Say())
    back = Say(number=1)
    broker: frozenset[Need] = frozenset({"broker restart"})
    controller: frozenset[Need] = frozenset({"controller restart"})
    return (
        Point("standing", "A car that stands for longer than the same-plate rule holds is still one pass.", standing),
        Point(
            "comes-back",
            "The same car that comes back later is a new pass and waits at a closed barrier.",
            (Say(), Wait(SAME_CAR_MS + OVER_MS), back, Wait(2000), back, Wait(2000), back),
            (2,),
        ),
        Point(
            "stalled-link",
            "A message that sat in a stalled link says a small age; only the beat in it shows how old it is.",
            (Say(delayed_ms=late),),
            (0,),
        ),
        Point("opens", "A listed plate that approaches and was just seen is let in.", stands),
        Point(
            "younger",
            "A car last seen half the limit ago may still be standing there.",
            (half, Wait(700), half, Wait(700), half),
        ),
        Point(
            "unknown-direction",
            "Whoever stands from the beginning has no direction yet and must not wait for ever.",
            tuple(Say(direction="unknown") if isinstance(step, Say) else step for step in stands),
        ),
        Point(
            "device-clock",
            "A device without a clock battery starts in 1970: its wall clock decides nothing.",
            (Say(clock="1970"), Say(1, number=1, clock="ahead"), Wait(700), Say(clock="1970")),
            (1, 1),
        ),
        Point(
            "revisions",
            "Each revision of a pass, with a better text too, is the same car: the barrier moves once.",
            (Say(), Wait(300), Say(revision=2), Wait(300), Say(1, revision=3), Wait(300), Say(1, revision=3)),
            (1, 0),
        ),
        Point("duplicate", "QoS 1 may deliver twice what was sent once.", (Say(copies=2), Wait(300), Say(copies=2))),
        Point(
            "already-open",
            "The same plate in the same lane within 15 s is the same car under another pass.",
            (Say(), Wait(1000), back, Wait(1000), back),
        ),
        Point(
            "better-reading",
            "Not on the list stands until the next revision only, which may read the plate right.",
            (Say(UNLISTED), Wait(300), Say(UNLISTED), Wait(300), Say(revision=2), Wait(700), Say(revision=2)),
        ),
        Point(
            "afresh",
            "Late and unknown age are no verdicts: whoever still stands there is let in when the link is back.",
            (Say(age_ms=late), Wait(300), Say(heard="none"), Wait(300), *stands),
        ),
        Point("unlisted", "A stranger stays outside.", (Say(UNLISTED), Wait(300), Say(UNLISTED, revision=2)), ()),
        Point("final", "A final says that the car has left: the next one would be let in.", (Say(final=True),), (0,)),
        Point(
            "left",
            "An older revision that comes after the final is about a car that has left.",
            (Say(final=True, revision=2), Say()),
            (0,),
        ),
        Point(
            "unread",
            "A reading that is not settled says so in `unread`, whatever text it has.",
            (Say(unread=True),),
            (0,),
        ),
        Point("receding", "A car that leaves needs no entrance.", (Say(direction="receding"),), (0,)),
        Point("late", "By its own age the device saw the car too long ago.", (Say(age_ms=late),), (0,)),
        Point(
            "no-beat", "Without a beat of this controller in it nobody knows how old it is.", (Say(heard="none"),), (0,)
        ),
        Point(
            "foreign-beat",
            "A beat that was never sent, or in an earlier life, proves nothing.",
            (Say(heard="never sent"),),
            (0,),
        ),
        Point("backfill", "Backfill is for the store: it may be days old.", (Say(backfill=True),), (0,)),
        Point("other-lane", "A lane that is not configured has no barrier here.", (Say(other_lane=True),), (0,)),
        Point(
            "other-device",
            "A device that is not configured opens nothing, whatever lane it names.",
            (Say(other_device=True),),
            (0,),
            needs=frozenset({"other device"}),
        ),
        Point(
            "version",
            "Another version may mean something else by the same fields: it is refused, in message and body.",
            (Say(version=2), Say(number=1, body_version=2)),
            (0,),
            alone=True,
        ),
        Point(
            "rotten",
            "A record whose checksum is wrong was damaged: its text is anybody's guess.",
            (Say(rotten=True),),
            (0,),
            alone=True,
        ),
        Point(
            "oversized",
            "A message above every limit must not end a barrier.",
            tuple(map(Raw, OVERSIZED)),
            (),
            alone=True,
        ),
        Point(
            "broker-restart",
            "The broker may forget everything: the controller comes back by itself, and opens once all the same.",
            (Say(), Fence(), Restart("broker"), Say(), Wait(1500), Say()),
            alone=True,
            needs=broker,
        ),
        Point(
            "controller-restart",
            "A car that still stands after a power cut was let in already.",
            (Say(), Fence(), Restart("controller"), Say(), Wait(1500), Say()),
            alone=True,
            needs=controller,
        ),
        Point(
            "retained",
            "What the broker kept from before this start is old: nothing opens for it.",
            (Say(heard="never sent", retained=True), Restart("controller"), Raw(b"", retained=True)),
            (0,),
            alone=True,
            needs=controller,
        ),
        Point("hostile", "One malformed message must not end a barrier.", tuple(map(Raw, NO_MESSAGES)), (), alone=True),
    )


def names() -> dict[str, str]:
    """Return every point's name and why it matters."""
    return {**OVER_THE_RUN, **{point.name: point.why for point in points(5000)}}
