"""`snapshot`: what the cameras see now."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from platefleet.models.operations.port import Arguments, Host, Job, Operation, Result, Step
from platefleet.protocol.messages.base import ShortText

MOST_BYTES = 96 * 1024


class Snapshot(Arguments):
    """Which lanes; none named: all. most_bytes: of all pictures together."""

    lanes: Annotated[tuple[ShortText, ...], Field(max_length=64)] = ()
    most_bytes: Annotated[int, Field(ge=4096, le=MOST_BYTES)] = MOST_BYTES


class Pictures(Result):
    """A JPEG of each lane."""

    pictures: dict[str, bytes]


def run(arguments: Snapshot, host: Host, job: Job) -> Pictures:
    """Take the pictures."""
    job.step("taking")
    return Pictures(pictures=dict(host.pictures(arguments.lanes, arguments.most_bytes)))


OPERATION = Operation(
    name="snapshot",
    says="Send a picture of what each camera sees now.",
    arguments=Snapshot,
    result=Pictures,
    steps=(Step("taking", deadline_s=30.0, stall_s=30.0),),
    run=run,
    role="operator",
    lines=lambda result: [f"{lane}: {len(data)} bytes" for lane, data in result.pictures.items()],
)
