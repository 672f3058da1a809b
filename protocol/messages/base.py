"""What every message has in common: frozen, strict, versioned, and bounded in every field."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

LIMIT_BYTES = 240 * 1024
"""The longest message: the largest frame (132 KiB) with room, in a packet of 256 KiB with its topic and properties."""
SMALL_LIMIT_BYTES = 4 * 1024
"""For messages of a few names and numbers; the rest is room for later fields."""

Nanoseconds = Annotated[int, Field(ge=0, lt=2**63)]
Milliseconds = Annotated[int, Field(ge=0, lt=2**53)]
Confidence = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Sequence = Annotated[int, Field(ge=1, lt=2**53)]
Measure = Annotated[float, Field(allow_inf_nan=False)]
Pixels = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Box = tuple[Pixels, Pixels, Pixels, Pixels]
"""x1 y1 x2 y2 in pixels of the full frame."""
ShortText = Annotated[str, StringConstraints(max_length=64)]
Sentence = Annotated[str, StringConstraints(max_length=512)]
"""Text for a person; may hold anything, so whoever shows it escapes it."""
FrameBytes = Annotated[bytes, Field(min_length=1, max_length=132 * 1024)]
"""A record's frame, exactly as its outbox froze it."""
Range = tuple[Sequence, Sequence]
"""First and last seq, both included."""
Ranges = Annotated[tuple[Range, ...], Field(max_length=4096)]


_V = TypeVar("_V")


def _in_order(entries: dict[str, _V]) -> dict[str, _V]:
    return dict(sorted(entries.items()))


IN_ORDER = AfterValidator(_in_order)
"""Maps keep the order of their keys (by code point), so that equal messages have equal bytes."""


class Part(BaseModel):
    """A piece of a message; unknown fields are ignored, known ones are taken as they are and never converted."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", populate_by_name=True)


class Message(Part):
    """A message; a version that this program does not speak is refused before anything else is looked at."""

    LIMIT_BYTES: ClassVar[int] = LIMIT_BYTES
    """The longest encoding that is taken."""

    version: Literal[1] = 1


class Stamp(Part):
    """A moment with what is needed to correct it later: a device without a clock battery starts in 1970."""

    utc_ns: Nanoseconds
    mono_ns: Nanoseconds
    boot: Annotated[str, StringConstraints(max_length=64)]
    clock: Literal["synced", "assumed", "unsynced"]
