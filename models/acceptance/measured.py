"""What one artifact found on a set of frames: data that can be saved, and judged later as often as one likes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from platefleet.models.detections import Boxes, Detections
from platefleet.models.errors import ArtifactError

LEAST_CONFIDENCE = 0.01
"""Boxes below this are not kept: thresholds are tuned far above, and precision at the end of the ranking is noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Truths:
    """What is to be seen, as parallel arrays: frame numbers (m,) int32, boxes (m, 4) float32, classes (m,) int32.

    texts: of plates, "" where unknown. labelled: False where nobody labelled and a baseline's boxes stand in for it.
    """

    frames: NDArray[np.int32]
    boxes: Boxes
    classes: NDArray[np.int32]
    texts: tuple[str, ...] = ()
    labelled: bool = True

    def __len__(self) -> int:
        return len(self.frames)

    def where(self, keep: NDArray[np.bool_]) -> Truths:
        """Return those that a mask picks."""
        texts = tuple(text for text, kept in zip(self.texts, keep, strict=True) if kept) if self.texts else ()
        return Truths(self.frames[keep], self.boxes[keep], self.classes[keep], texts, self.labelled)

    def with_agreed(self, agreed: Truths) -> Truths:
        """Return these and those that a baseline finds in later frames, which nobody labelled."""
        return Truths(
            np.concatenate([self.frames, agreed.frames]),
            np.concatenate([self.boxes, agreed.boxes]),
            np.concatenate([self.classes, agreed.classes]),
            (*self.texts, *("" for _ in range(len(agreed)))) if self.texts else (),
            self.labelled,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What an artifact found in `count` frames, everything above LEAST_CONFIDENCE.

    frames: (n,) int32, ascending; found: n boxes with confidences and classes, in the order of the frames. ms: (count,)
    float64, milliseconds from frame to boxes. texts: what was read in each frame's truths, for a reader. evaluation:
    digest of the frames and their labels: two measurements are compared only if it is the same.
    """

    key: str
    evaluation: str
    count: int
    frames: NDArray[np.int32]
    found: Detections
    ms: NDArray[np.float64]
    texts: tuple[str, ...] = field(default=())

    @property
    def median_ms(self) -> float:
        """Half of the frames took no longer."""
        return float(np.median(self.ms))

    def first(self, count: int) -> Measured:
        """Return what was found in the first `count` frames, all of whose texts stand before the others'."""
        keep = self.frames < count
        return replace(self, count=count, frames=self.frames[keep], found=self.found.where(keep), ms=self.ms[:count])

    def above(self, threshold: float) -> tuple[NDArray[np.int32], Detections]:
        """Return frames and boxes of at least this confidence."""
        keep = self.found.confidences >= threshold
        return self.frames[keep], self.found.where(keep)

    def save(self) -> bytes:
        """Return it as an .npz file."""
        file = BytesIO()
        np.savez_compressed(
            file,
            key=np.array(self.key),
            evaluation=np.array(self.evaluation),
            count=np.array(self.count),
            frames=self.frames,
            boxes=self.found.boxes,
            confidences=self.found.confidences,
            classes=self.found.classes,
            ms=self.ms,
            texts=np.array(self.texts, dtype=np.str_),
        )
        return file.getvalue()

    @classmethod
    def load(cls, data: bytes, where: str) -> Measured:
        """Return what `save` wrote. Raises ArtifactError naming `where` for anything else; no pickle is opened."""
        try:
            with np.load(BytesIO(data), allow_pickle=False) as file:
                found = Detections(file["boxes"], file["confidences"], file["classes"])
                texts = tuple(str(text) for text in file["texts"])
                return cls(
                    str(file["key"]),
                    str(file["evaluation"]),
                    int(file["count"]),
                    file["frames"],
                    found,
                    file["ms"],
                    texts,
                )
        except (ValueError, KeyError, OSError, EOFError) as error:
            raise ArtifactError(f"{where}: no measurement that can be read ({error}); evaluate again") from error
