"""Open passes as notes of the outbox: written with each told revision, read by the agent's next start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from platefleet.agent.events import MOST_CHARACTERS, Stamped, character_read, share
from platefleet.agent.passes.gap import RESUME_S
from platefleet.agent.passes.types import OpenPass
from platefleet.models.reading import Character, Reading
from platefleet.protocol.clock import SECOND_NS, Instant
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.ids import LaneId, PassId
from platefleet.protocol.messages import CharacterRead, Message, Stamp
from platefleet.protocol.messages.base import Box, Confidence, Count, Measure, ShortText

PREFIX = "pass/"
LAST_REVISION = 998
"""A pass of so many revisions is not gone on with: two more and nobody would take them."""
_NO_BOOT = "00000000-0000-0000-0000-000000000000"


class OpenNote(Message):
    """A note's bytes: `OpenPass` with the moments as the clocks of their time had them. Not for the wire."""

    pass_id: PassId = Field(alias="pass")
    revision: Annotated[int, Field(ge=1, le=1000)]
    characters: Annotated[tuple[CharacterRead, ...], Field(max_length=MOST_CHARACTERS)] = ()
    first: Stamp
    last: Stamp
    size: tuple[Count, Count]
    began: Box
    began_by_plate: bool
    plate: Box | None = None
    plate_confidence: Confidence
    vehicle: Box | None = None
    vehicle_name: ShortText | None = None
    score: Measure
    peak: Measure
    looks: Count
    plates: Count
    whole: Count
    legible: Count


@dataclass(frozen=True, slots=True)
class Found:
    """A note that an earlier run left. left: with its moments by the clocks of now; first, last: as they were stamped.

    young: its vehicle was seen so lately that it may still stand.
    """

    left: OpenPass
    first: Stamp
    last: Stamp
    young: bool


def name_of(lane: LaneId, pass_id: str) -> str:
    """Return the name of a pass's note.

    >>> name_of("entry", "0199")
    'pass/entry/0199'
    """
    return f"{PREFIX}{lane}/{pass_id}"


def lane_of(name: str) -> LaneId:
    """Return the lane of a note.

    >>> lane_of("pass/entry/0199")
    'entry'
    """
    return name.removeprefix(PREFIX).partition("/")[0]


def written(left: OpenPass, stamp: Stamped) -> bytes:
    """Return the note of an open pass."""
    return encode(
        OpenNote(
            pass_id=left.pass_id,
            revision=left.revision,
            characters=tuple(character_read(each) for each in left.reading.characters[:MOST_CHARACTERS]),
            first=stamp(left.first),
            last=stamp(left.last),
            size=left.size,
            began=left.began,
            began_by_plate=left.began_by_plate,
            plate=left.plate,
            plate_confidence=share(left.plate_confidence),
            vehicle=left.vehicle,
            vehicle_name=left.vehicle_name,
            score=left.score,
            peak=left.peak,
            looks=left.looks,
            plates=left.plates,
            whole=left.whole,
            legible=left.legible,
        )
    )


def read(data: bytes, now: Stamp) -> Found:
    """Return what a note says, judged at the agent's start, `now`. Raises ProtocolError for bytes that are none."""
    note = decode(OpenNote, data)
    left = OpenPass(
        pass_id=note.pass_id,
        revision=note.revision,
        reading=Reading(tuple(_character(each) for each in note.characters)),
        first=placed(note.first, now),
        last=placed(note.last, now),
        size=note.size,
        began=note.began,
        began_by_plate=note.began_by_plate,
        plate=note.plate,
        plate_confidence=note.plate_confidence,
        vehicle=note.vehicle,
        vehicle_name=note.vehicle_name,
        score=note.score,
        peak=note.peak,
        looks=note.looks,
        plates=note.plates,
        whole=note.whole,
        legible=note.legible,
    )
    return Found(left, note.first, note.last, note.revision <= LAST_REVISION and is_young(note.last, now))


def is_young(seen: Stamp, now: Stamp) -> bool:
    """Whether what was last `seen` may still stand: by the clock of this boot, or over a boot by two good clocks.

    What cannot be told is old.
    """
    if _same_boot(seen, now):
        age_ns = now.mono_ns - seen.mono_ns
    elif "unsynced" in (seen.clock, now.clock):
        return False
    else:
        age_ns = now.utc_ns - seen.utc_ns
    return 0 <= age_ns <= RESUME_S * SECOND_NS


def placed(stamp: Stamp, now: Stamp) -> Instant:
    """Return a moment as the clocks of this boot would have had it; what was before the boot is at its beginning."""
    if _same_boot(stamp, now):
        return Instant(stamp.utc_ns, stamp.mono_ns)
    return Instant(stamp.utc_ns, max(0, now.mono_ns - max(0, now.utc_ns - stamp.utc_ns)))


def _same_boot(a: Stamp, b: Stamp) -> bool:
    return a.boot == b.boot != _NO_BOOT


def _character(read: CharacterRead) -> Character:
    return Character(read.text, read.confidence, tuple((each.text, each.confidence) for each in read.alternatives))
