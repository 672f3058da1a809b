"""Two measurements of the same frames, and what is to be seen in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from platefleet.models.acceptance.matching import as_truths
from platefleet.models.acceptance.measured import Measured, Truths
from platefleet.models.acceptance.metrics import metrics
from platefleet.models.acceptance.verdict import Comparison, Limits, compare, compare_texts


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A baseline and a candidate. truths: None where nobody labelled. threshold: at which the baseline works.

    own_from: the first of a device's own frames, where the others are labelled: what the baseline finds there counts.
    """

    before: Measured
    now: Measured
    truths: Truths | None
    threshold: float
    own_from: int | None = None

    @property
    def reads(self) -> bool:
        """Whether readers were measured, whose truths are the plates that they were shown."""
        return bool(self.before.texts)

    @property
    def wanted(self) -> Truths:
        """What is to be seen: as it is labelled, else as the baseline finds it."""
        if self.truths is None:
            return as_truths(self.before, self.threshold)
        if self.own_from is None or self.reads:
            return self.truths
        agreed = as_truths(self.before, self.threshold)
        return self.truths.with_agreed(agreed.where(agreed.frames >= self.own_from))

    def compared(self, limits: Limits) -> Comparison:
        """Return what came of comparing them."""
        wanted = self.wanted
        if self.reads:
            own = None if self.own_from is None else wanted.frames >= self.own_from
            return compare_texts(self.before, self.now, wanted.texts, own)
        return compare(
            self.before, self.now, wanted, self.threshold, most=limits.threshold_most, own_from=self.own_from
        )

    def accuracy(self, measured: Measured, threshold: float) -> dict[str, float]:
        """Return how right one of the two is, by name; of a reader also how many texts are not the baseline's.

        Where frames are labelled these alone count. Raises MissingExtra without pycocotools.
        """
        wanted = self.wanted
        labelled = np.ones(len(wanted), bool) if self.own_from is None else wanted.frames < self.own_from
        if self.reads:
            rows = zip(wanted.texts, self.before.texts, measured.texts, labelled, strict=True)
            counted = [(text or was, read) for text, was, read, counts in rows if counts]
            right = sum(bool(text) and read == text for text, read in counted)
            changed = sum(read != text for read, text in zip(self.before.texts, measured.texts, strict=True))
            return {"read_right": round(right / max(len(counted), 1), 4), "texts_changed": float(changed)}
        counted_frames = measured if self.own_from is None else measured.first(self.own_from)
        got = metrics(counted_frames, wanted.where(labelled), threshold)
        return {
            "map_50_95": round(got.map_50_95, 4),
            "map_50": round(got.map_50, 4),
            "recall": round(got.recall, 4),
        }
