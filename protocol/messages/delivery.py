"""What devices and the store tell each other about records: backfill, acks, questions and answers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from platefleet.protocol.ids import DeviceId, Epoch, Incarnation, SlotId, StoreId
from platefleet.protocol.messages.base import (
    SMALL_LIMIT_BYTES,
    Count,
    FrameBytes,
    Message,
    Milliseconds,
    Part,
    Ranges,
    Sequence,
    Stamp,
)

Nonce = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
RANGES_ANSWERED = 4096
"""In all epochs of one answer."""
GoneReason = Literal["quota", "unsendable", "volatile", "broken"]


class EpochEnd(Part):
    """An epoch that a device holds or held, and the last seq in it."""

    epoch: Epoch
    last: Count


class EpochOpening(Message):
    """Record 1 of every epoch: which epochs came before; body of a record of type `epoch`."""

    opened: Stamp
    volatile: bool
    previous: Annotated[tuple[EpochEnd, ...], Field(max_length=256)] = ()


class Gone(Part):
    """Records that the device no longer has and nobody will get."""

    epoch: Epoch
    first: Sequence
    last: Sequence
    reason: GoneReason


class Ask(Part):
    """The question what the store has of each epoch; its answer replaces what the device believes."""

    nonce: Nonce
    epochs: Annotated[tuple[EpochEnd, ...], Field(max_length=256)]


class Backfill(Message):
    """Records that the store does not have yet: `up/backfill`, at most 64 KiB a message unless one frame is larger."""

    records: Annotated[tuple[FrameBytes, ...], Field(max_length=512)] = ()
    gone: Annotated[tuple[Gone, ...], Field(max_length=512)] = ()
    ask: Ask | None = None


class EpochCoverage(Part):
    """What the store has of one epoch."""

    epoch: Epoch
    covered: Ranges = ()


class Answer(Part):
    """The answer to an `Ask`: the epochs in the order asked, at most 4096 ranges in all, lowest first.

    With fewer, it speaks of all that was asked: an epoch without ranges is not there. With 4096 it may be cut: it then
    says nothing of what lies behind its last range, in that epoch and in those asked after it; the device asks again.
    """

    nonce: Nonce
    epochs: Annotated[tuple[EpochCoverage, ...], Field(max_length=256)]


class Ack(Message):
    """What the store has committed: `down/ack`. `covered` only ever adds; `answer` replaces."""

    store: StoreId
    covered: Annotated[tuple[EpochCoverage, ...], Field(max_length=256)] = ()
    clash: Annotated[tuple[EpochCoverage, ...], Field(max_length=256)] = ()
    answer: Answer | None = None


class Beat(Message):
    """A gate's heartbeat to the devices it serves: `down/beat`, once a second, `n` rising by one."""

    LIMIT_BYTES: ClassVar[int] = SMALL_LIMIT_BYTES

    gate: DeviceId
    n: Sequence


class Presence(Message):
    """Whether a client is there: `up/presence`, retained, also the will (`lost`)."""

    LIMIT_BYTES: ClassVar[int] = SMALL_LIMIT_BYTES

    incarnation: Incarnation
    state: Literal["online", "stopped", "lost"]


class Host(Message):
    """Whether an ingest worker commits: `alpr/1/host/{slot}`, retained, also the will (`committing` false)."""

    LIMIT_BYTES: ClassVar[int] = SMALL_LIMIT_BYTES

    slot: SlotId
    incarnation: Incarnation
    committing: bool
    store: StoreId


class LiveStatus(Message):
    """A command's status while it is fresh: `up/fleet`."""

    age_ms: Milliseconds
    record: FrameBytes
