"""How far a running command is, for whoever watches it."""

from __future__ import annotations

from typing import ClassVar

from platefleet.protocol.ids import CommandId
from platefleet.protocol.messages.base import SMALL_LIMIT_BYTES, Confidence, Message, Milliseconds, ShortText


class Progress(Message):
    """A running command's step: `up/progress`, not retained, at most once a second. Nothing rests on it.

    fraction: of the step, 0 to 1, null where nobody knows. left_ms: the whole command's rest by its last durations.
    """

    LIMIT_BYTES: ClassVar[int] = SMALL_LIMIT_BYTES

    command: CommandId
    step: ShortText
    fraction: Confidence | None = None
    left_ms: Milliseconds | None = None
