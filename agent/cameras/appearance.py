"""Whether a camera shows anything: a black picture, or the same one again and again. Cheap: a grid of 64×64 pixels."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from platefleet.models.detections import Frame

GRID = 64
BLACK_MEAN, BLACK_SPREAD = 16.0, 4.0
"""Video's black is 16 of 255 (ITU-R BT.601), and a covered lens has almost no contrast; a lit plate at night has."""
FROZEN_NS = 10_000_000_000
"""The sensor's noise alone changes some pixel of the grid within a few frames; ten seconds allow for a sharp codec."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """What was seen lately. black, frozen: true of the newest picture; checksum: its grid's; since when it is that."""

    black: bool = False
    frozen: bool = False
    checksum: int | None = None
    since_ns: int = 0


def appear(before: Appearance, frame: Frame, arrived_ns: int) -> Appearance:
    """Return what a camera looks like with one more frame, which arrived at `arrived_ns` (monotonic)."""
    height, width = frame.shape[:2]
    grid = frame[:: max(1, height // GRID), :: max(1, width // GRID)]
    checksum = zlib.crc32(grid.tobytes())
    black = float(grid.mean()) <= BLACK_MEAN and float(grid.std()) <= BLACK_SPREAD
    if checksum != before.checksum:
        return Appearance(black, False, checksum, arrived_ns)
    return Appearance(black, arrived_ns - before.since_ns >= FROZEN_NS, checksum, before.since_ns)
