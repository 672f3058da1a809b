"""Commands to a device, the cancelling of one, and what a device says of one."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, StringConstraints

from platefleet.protocol.ids import CommandId, DeviceId
from platefleet.protocol.messages.base import (
    IN_ORDER,
    Count,
    Message,
    Nanoseconds,
    Part,
    Sentence,
    Sequence,
    ShortText,
    Stamp,
)

LIFETIME_NS = 14 * 86_400 * 1_000_000_000
"""The longest from `issued_at` to `not_after`; ids are kept as long, so no command is carried out twice."""
RESULT_LIMIT_BYTES = 112 * 1024
"""A status is a record, whose body holds 128 KiB."""
OPERATION_PATTERN = r"^[a-z][a-z-]{0,31}$"

InstallId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""Made with the device's outbox: a device that was set up anew takes no replay."""
OperationName = Annotated[str, StringConstraints(pattern=OPERATION_PATTERN)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Whole = Annotated[int, Field(gt=-(2**53), lt=2**53)]
Value = bool | Whole | Number | Sentence | Annotated[tuple[Sentence, ...], Field(max_length=256)] | None
"""What an argument may be. What each operation takes is its own model's to say (`models/operations`)."""
Priority = Annotated[int, Field(ge=0, le=9)]
"""9 goes first."""

State = Literal[
    "accepted", "rejected", "waiting", "running", "succeeded", "failed", "rolled_back", "cancelled", "expired"
]
Hold = Literal[
    "window", "traffic", "memory", "command", "temperature", "clock", "not_before", "retry", "disk", "barrier"
]
"""What a command waits for. `command`: for another one; `barrier`: the frame rate fell while it ran."""
STATES: tuple[str, ...] = get_args(State)


class Command(Message):
    """What an operator wants of one device; body of the envelope on `down/command`, never encoded again.

    install: of the device, as its `info` tells. not_before, not_after: when it may begin; UTC nanoseconds. builds_on:
    the version of the device's choices that the operator saw, for `activate`, `rollback` and `set-window`.
    """

    LIMIT_BYTES: ClassVar[int] = 64 * 1024

    id: CommandId
    device: DeviceId
    install: InstallId
    operation: OperationName
    arguments: Annotated[dict[ShortText, Value], Field(max_length=64), IN_ORDER] = Field(default_factory=dict)
    issued_at: Nanoseconds
    not_before: Nanoseconds | None = None
    not_after: Nanoseconds
    priority: Priority = 5
    builds_on: Count | None = None


class Cancel(Message):
    """The end of one command, whether it has come already or not; on the same topic, so it overtakes nothing."""

    LIMIT_BYTES: ClassVar[int] = 4 * 1024

    id: CommandId
    command: CommandId
    device: DeviceId
    install: InstallId
    issued_at: Nanoseconds
    not_after: Nanoseconds


class Waiting(Part):
    """Why a command does not go on. until_ns: when it is expected to, UTC, if anybody can know."""

    hold: Hold
    says: Sentence
    until_ns: Nanoseconds | None = None


class CommandStatus(Message):
    """What became of a command so far: body of a record of type `status`; its live copy goes to `up/fleet`.

    number: rises by one with each status of a command, so that late and repeated ones never move it backwards.
    operator: the name in the trust of whoever signed, or `rule:<name>`, `desired:<name>` where the device itself asked.
    choices: the version of the device's choices now. result: MessagePack of the operation's own result.
    """

    command: CommandId
    install: InstallId
    operation: OperationName
    operator: ShortText
    number: Sequence
    state: State
    at: Stamp
    attempt: Count = 0
    step: ShortText | None = None
    why: Waiting | None = None
    reason: Sentence = ""
    choices: Count = 0
    result: Annotated[bytes, Field(max_length=RESULT_LIMIT_BYTES)] | None = None
