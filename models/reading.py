"""What was read on a plate: characters with their confidences and what else they might have been."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from platefleet.models.detections import Detections


@dataclass(frozen=True, slots=True)
class Character:
    """One character of a plate: its text, its confidence, and the next best with theirs, best first."""

    text: str
    confidence: float
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of one plate, character by character; no characters means that nothing was legible."""

    characters: tuple[Character, ...] = ()

    @property
    def text(self) -> str:
        """The characters as one string, both lines of a two-line plate after each other."""
        return "".join(character.text for character in self.characters)

    @property
    def mean(self) -> float:
        """Mean confidence, 0 for no characters. It hides one bad character: see `minimum`."""
        return sum(c.confidence for c in self.characters) / len(self.characters) if self.characters else 0.0

    @property
    def minimum(self) -> float:
        """Confidence of the least certain character, 0 for no characters."""
        return min((c.confidence for c in self.characters), default=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """One plate in a frame.

    box: (4,) float32 x1 y1 x2 y2 in frame pixels, fitted to the characters where they were found.
    detected: (4,) float32, the detector's own box (what "touches the frame's border" is judged by, with `box`).
    corners: (4, 2) float32, top-left, top-right, bottom-right, bottom-left of the rectified plate, frame pixels.
    confidence: the detector's, 0–1. vehicle: index into the frame's vehicles, or None.
    """

    box: NDArray[np.float32]
    detected: NDArray[np.float32]
    corners: NDArray[np.float32]
    confidence: float
    reading: Reading
    vehicle: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """All that the pipeline saw in one frame.

    vehicles: only the classes that count as vehicles, duplicates removed. plates: best first.
    ms: milliseconds per stage, keys `vehicle`, `plate`, `read` and `total`.
    """

    vehicles: Detections
    plates: tuple[Plate, ...] = ()
    ms: dict[str, float] = field(default_factory=dict)
