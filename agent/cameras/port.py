"""What a camera gives, and the port that every kind of it fills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from platefleet.models.detections import Frame
from platefleet.protocol.clock import Instant

MOST_PIXELS = 33_177_600
"""Pixels of one frame: 7680×4320, the largest that video standards for cameras name (ITU-R BT.2020)."""


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """One decoded frame as the decoder gave it.

    position_ns: the stream's own timestamp; its zero means nothing. None where the stream has none.
    """

    frame: Frame
    position_ns: int | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that should have been a frame and was not; the camera goes on. why: one sentence."""

    why: str


class Source(Protocol):
    """One opened decoder. For one thread; `read` may hang, which is why it lives in a process of its own."""

    @property
    def fps(self) -> float:
        """Frames per second as the stream claims; 0 where it says nothing."""
        ...

    def read(self) -> Raw | Skipped | None:
        """Wait for the next frame; None: the stream has ended. Raises CameraError."""
        ...

    def close(self) -> None:
        """Give back the decoder; safe to call twice."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One frame of a lane on its way to the models.

    frame: (height, width, 3) uint8 BGR, not empty. captured: when the light fell in, by the stream's timestamps.
    arrived_mono_ns: when it could first be looked at. lag_ns: what separates the stream's time from ours where every
    frame of a file is worked through at its own pace: add it to a time of the stream to get ours; 0 for live cameras.
    number: counts a camera's frames from 1, those never shown included.
    """

    frame: Frame
    captured: Instant
    arrived_mono_ns: int
    number: int
    lag_ns: int = 0


@dataclass(frozen=True, slots=True)
class Over:
    """The pictures of a lane end here for good: its file is over. why: one sentence."""

    why: str
