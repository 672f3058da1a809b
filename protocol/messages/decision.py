"""A gate's decisions: one record for what it means to do, one for what came of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from platefleet.protocol.ids import DeviceId, LaneId, PassId
from platefleet.protocol.messages.base import Count, Message, Sentence, ShortText, Stamp
from platefleet.protocol.messages.plate import PlateString

Verdict = Literal[
    "opened",
    "already open",
    "not on the list",
    "not valid now",
    "ambiguous",
    "unread",
    "wrong direction",
    "late",
    "age unknown",
    "clock",
    "output failed",
    "by hand",
    "another machine",
    "already inside",
    "held open",
    "released",
]
Phase = Literal["intent", "result", "refusal"]


class Decision(Message):
    """What a gate decided on one revision of a pass; body of a record of type `decision`.

    `intent` is durable before the output moves, `result` says what the output did, `refusal` moved nothing.
    age_ms: upper bound of the time since the vehicle was last seen, null where no beat of this gate was heard.
    """

    gate: DeviceId
    phase: Phase
    verdict: Verdict
    reason: Sentence
    device: DeviceId | None = None
    lane: LaneId
    pass_id: PassId | None = Field(default=None, alias="pass")
    revision: Annotated[int, Field(ge=0, le=1000)] = 0
    text: PlateString = ""
    entry: ShortText | None = None
    output: ShortText | None = None
    age_ms: Count | None = None
    decided: Stamp
    took_ms: Count = 0
