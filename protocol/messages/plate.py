"""Plate events: one revision of what is known of one pass, and its live copy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from platefleet.protocol.ids import DeviceId, LaneId, PassId
from platefleet.protocol.messages.base import (
    IN_ORDER,
    Box,
    Confidence,
    Count,
    FrameBytes,
    Measure,
    Message,
    Milliseconds,
    Part,
    Sequence,
    ShortText,
    Stamp,
)

Direction = Literal["approaching", "receding", "unknown"]
UnreadReason = Literal["cut by the frame", "illegible", "no plate", "unsettled", "interrupted"]
Symbol = Annotated[str, StringConstraints(min_length=1, max_length=1)]
PlateString = Annotated[str, StringConstraints(max_length=12)]


class Alternative(Part):
    """What else a character might be."""

    text: Symbol
    confidence: Confidence


class CharacterRead(Part):
    """One character of a plate, with the next best."""

    text: Symbol
    confidence: Confidence
    alternatives: Annotated[tuple[Alternative, ...], Field(max_length=8)] = ()


class PlateEvent(Message):
    """One revision of a pass; body of a record of type `plate`.

    A reading is settled enough to act on when `unread` is null; otherwise `text` is empty and `unread` says why.
    `final` means that the vehicle has left: nothing opens for it. `told`: when this revision was appended to its
    outbox; null from devices that do not say so.
    """

    pass_id: PassId = Field(alias="pass")
    revision: Annotated[int, Field(ge=1, le=1000)]
    final: bool
    interrupted: bool = False
    lane: LaneId
    captured: Stamp
    first_seen: Stamp
    told: Stamp | None = None
    text: PlateString
    characters: Annotated[tuple[CharacterRead, ...], Field(max_length=12)] = ()
    mean: Confidence
    minimum: Confidence
    unread: UnreadReason | None = None
    direction: Direction
    vehicle: ShortText | None = None
    plate_box: Box | None = None
    vehicle_box: Box | None = None
    plate_confidence: Confidence = 0.0
    frames: Count
    ms: Annotated[dict[ShortText, Measure], Field(max_length=16), IN_ORDER] = Field(default_factory=dict)
    artifacts: Annotated[dict[ShortText, ShortText], Field(max_length=8), IN_ORDER] = Field(default_factory=dict)


class Heard(Part):
    """The newest beat that a device got from one gate: its number, and how long ago by the device's own clock."""

    n: Sequence
    held_ms: Milliseconds


class LivePlate(Message):
    """A plate event while it may be acted on: `up/plate`.

    age_ms: time since the vehicle was last seen, by the device's own monotonic clock at sending.
    """

    age_ms: Milliseconds
    heard: Annotated[dict[DeviceId, Heard], Field(max_length=64), IN_ORDER] = Field(default_factory=dict)
    record: FrameBytes


class Crops(Message):
    """Pictures cut from the very frame that was read; body of a record of type `crops`, for ingest alone."""

    pass_id: PassId = Field(alias="pass")
    revision: Annotated[int, Field(ge=1, le=1000)]
    captured: Stamp
    plate: Annotated[bytes, Field(max_length=96 * 1024)] | None = None
    vehicle: Annotated[bytes, Field(max_length=96 * 1024)] | None = None
    plate_box: Box | None = None
    vehicle_box: Box | None = None
