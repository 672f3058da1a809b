"""What an ingest must do, as data: each point's steps, and what its acks and answers must say then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from platefleet.fleet.conformance.hostile import NO_MESSAGES, OVERSIZED

Need = Literal["broker restart", "ingest restart", "other device"]
Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class R:
    """A record of the point's own epoch. variant: another body under the same name. rotten: its checksum is wrong.

    body: a plate event; one of the next version; bytes that are none; of a type that only later programs know; a
    picture of 90 KiB.
    """

    seq: int
    variant: int = 0
    body: Literal["plate", "next version", "junk", "later type", "picture"] = "plate"
    rotten: bool = False


@dataclass(frozen=True, slots=True)
class Tell:
    """Send records and gone ranges in one message."""

    records: tuple[R, ...] = ()
    gone: Ranges = ()
    via: Literal["backfill", "plate", "fleet"] = "backfill"
    version: int = 1
    other_device: bool = False


@dataclass(frozen=True, slots=True)
class Raw:
    """Send these bytes on `up/backfill`."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass."""

    ms: int


@dataclass(frozen=True, slots=True)
class Acked:
    """Wait until these are acknowledged. again: send the last message again meanwhile, as devices do."""

    seqs: Ranges
    again: bool = False
    other_device: bool = False


@dataclass(frozen=True, slots=True)
class AnyAck:
    """Wait for the first ack of the point's epoch."""


@dataclass(frozen=True, slots=True)
class Clashed:
    """Wait for a clash that is told of the point's epoch."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Wait for the ack of a good record, and a little longer: what was sent before has then been judged."""


@dataclass(frozen=True, slots=True)
class Mark:
    """From here on `unclashed_after` counts."""


@dataclass(frozen=True, slots=True)
class Question:
    """Ask what the store has, and wait for an answer."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart the broker or the ingest by the site's command, and wait until somebody commits again."""

    what: Literal["broker", "ingest"]


Step = Tell | Raw | Wait | Acked | AnyAck | Clashed | Settle | Mark | Question | Restart


@dataclass(frozen=True)
class Expect:
    """What must be seen of the point's epoch.

    acked: acknowledged at any time; other_acked: to the other device. never: neither acknowledged nor answered.
    clashed, unclashed, unclashed_after (the mark): told as clash or not. answered: exactly what the answer says.
    kept: the answer has what was acknowledged before.
    """

    acked: Ranges = ()
    other_acked: Ranges = ()
    never: Ranges = ()
    clashed: Ranges = ()
    unclashed: Ranges = ()
    unclashed_after: Ranges = ()
    answered: Ranges | None = None
    kept: bool = False


@dataclass(frozen=True)
class Point:
    """One thing an ingest must do. alone: nothing else is said meanwhile. needs: what the site must give for it."""

    name: str
    why: str
    steps: tuple[Step, ...]
    expect: Expect
    alone: bool = False
    needs: frozenset[Need] = frozenset()


HOST, STORE, ONLY_SENT, COALESCED, KEPT, ASK = "host", "store", "only-sent", "coalesced", "kept", "ask"
OVER_THE_RUN = {
    HOST: "Devices hold back their backlog until a retained `host` says that somebody commits.",
    STORE: "A device believes one store: every ack and `host` name the same.",
    ONLY_SENT: "A device drops what an ack covers: what was never sent may not be in one.",
    COALESCED: "A thousand devices with an ack for each message are a storm: two a second are enough.",
    KEPT: "What was acknowledged was committed: an answer that lacks it says that it is lost.",
}
"""Points that are judged over everything that was heard."""

_FIRST = R(1)
_OTHER = R(1, variant=1)
_ALONE: Ranges = ((1, 1),)


def points() -> tuple[Point, ...]:
    """Return the points that have steps, in the order in which they are played."""
    flood: tuple[Step, ...] = ()
    for seq in range(1, 61):
        flood += (Tell((R(seq),)), Wait(40))
    burst = tuple(Tell(tuple(R(seq) for seq in range(first, first + 10))) for first in range(1, 301, 10))
    return (
        Point(
            "commits",
            "What is committed is acknowledged, or devices keep it for ever.",
            (Tell((R(1), R(2))), Tell((R(3),)), Acked(((1, 3),))),
            Expect(acked=((1, 3),)),
        ),
        Point(
            "live",
            "A live event or status is a record like any other, and mostly it comes only so.",
            (Tell((R(1),), via="plate"), Tell((R(2, body="later type"),), via="fleet"), Acked(((1, 2),))),
            Expect(acked=((1, 2),)),
        ),
        Point(
            "duplicate",
            "Records are sent until they are acknowledged: the same one again is no clash.",
            (Tell((_FIRST,), via="plate"), Tell((_FIRST, _FIRST)), Acked(_ALONE), Tell((_FIRST,)), Settle()),
            Expect(acked=_ALONE, unclashed=_ALONE),
        ),
        Point(
            "clash",
            "Two records of one name are a copied card or a restored image: somebody must hear of it.",
            (Tell((_FIRST,)), Acked(_ALONE), Tell((_OTHER,)), Clashed()),
            Expect(acked=_ALONE, clashed=_ALONE),
        ),
        Point(
            "first-stays",
            "The record that was acknowledged first stays: an operator bills by it.",
            (Tell((_FIRST,)), Acked(_ALONE), Tell((_OTHER,)), Clashed(), Settle(), Mark(), Tell((_FIRST,)), Settle()),
            Expect(acked=_ALONE, unclashed_after=_ALONE),
        ),
        Point(
            "two-devices",
            "Whose a record is says the topic, which the broker guards: the same name of two devices is two records.",
            (
                Tell((_FIRST,)),
                Tell((_OTHER,), other_device=True),
                Acked(_ALONE),
                Acked(_ALONE, other_device=True),
                Settle(),
            ),
            Expect(acked=_ALONE, other_acked=_ALONE, unclashed=_ALONE),
            needs=frozenset({"other device"}),
        ),
        Point(
            "out-of-order",
            "Backfill comes in any order and more than once.",
            (Tell((R(5),)), Tell((R(3), R(3))), Tell((R(1),)), Tell((R(4), R(2), R(5))), Acked(((1, 5),)), Question()),
            Expect(acked=((1, 5),), answered=((1, 5),)),
        ),
        Point(
            ASK,
            "A device asks what the store has; only the answer with its nonce replaces what it believes.",
            (Tell((R(1), R(2), R(3), R(5))), Acked(((1, 3), (5, 5))), Question()),
            Expect(answered=((1, 3), (5, 5))),
        ),
        Point(
            "unknown-epoch",
            "A store restored from a backup has nothing of an epoch, says so, and is filled again.",
            (Question(),),
            Expect(answered=()),
        ),
        Point(
            "gone",
            "What a device lost for good is covered too, or the gap is asked for again for ever.",
            (Tell((R(1),)), Tell(gone=((2, 4),)), Tell((R(5),), gone=((2, 4),)), Acked(((1, 5),)), Question()),
            Expect(acked=((1, 5),), answered=((1, 5),)),
        ),
        Point(
            "quarantine",
            "A record that cannot be decoded yet is kept and covered: devices are updated before stores.",
            (
                Tell((R(1, body="junk"), R(2, body="later type"), R(3, body="next version"), R(4))),
                Acked(((1, 4),)),
            ),
            Expect(acked=((1, 4),)),
        ),
        Point(
            "rotten",
            "A frame damaged on its way has no name to be covered by, and harms nothing else in its batch.",
            (Tell((R(1), R(2, rotten=True), R(3))), Acked(((1, 1), (3, 3))), Settle(), Question()),
            Expect(acked=((1, 1), (3, 3)), never=((2, 2),)),
        ),
        Point(
            "version",
            "A message of another version may mean something else by the same fields: nothing in it is taken.",
            (Tell((_FIRST,), version=2), Settle(), Question()),
            Expect(never=_ALONE),
        ),
        Point(
            "batch",
            "A backlog comes in messages of up to 64 KiB.",
            (Tell(tuple(R(seq) for seq in range(1, 131))), Acked(((1, 130),))),
            Expect(acked=((1, 130),)),
        ),
        Point(
            "picture",
            "One frame may be larger than 64 KiB, and then comes alone.",
            (Tell((R(1, body="picture"),)), Acked(_ALONE)),
            Expect(acked=_ALONE),
        ),
        Point(
            "flood",
            "Messages that come faster than acks may go out are all acknowledged in the end.",
            (*flood, Acked(((1, 60),))),
            Expect(acked=((1, 60),)),
        ),
        Point(
            "broker-restart",
            "The broker may forget everything: ingest comes back by itself and commits again.",
            (Tell((R(1),)), Acked(_ALONE), Restart("broker"), Tell((R(2),)), Acked(((2, 2),), again=True)),
            Expect(acked=((1, 2),)),
            alone=True,
            needs=frozenset({"broker restart"}),
        ),
        Point(
            "killed",
            "An ack that goes out before the commit loses records with the next power cut.",
            (*burst, AnyAck(), Restart("ingest"), Question()),
            Expect(kept=True),
            alone=True,
            needs=frozenset({"ingest restart"}),
        ),
        Point(
            "oversized",
            "A message above every limit must not end an ingest.",
            (*map(Raw, OVERSIZED), Settle()),
            Expect(),
            alone=True,
        ),
        Point(
            "hostile",
            "One malformed message of one device must not end the ingest of all.",
            (*map(Raw, NO_MESSAGES), Settle()),
            Expect(),
            alone=True,
        ),
    )


def names() -> dict[str, str]:
    """Return every point's name and why it matters."""
    return {**OVER_THE_RUN, **{point.name: point.why for point in points()}}
