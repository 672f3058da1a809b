"""Two measurements of the same frames, and what is to be seen in them."""

from __future__ import annotations

from dataclasses import dataclass

from platefleet.models.acceptance.matching import as_truths
from platefleet.models.acceptance.measured import Measured, Truths
from platefleet.models.acceptance.metrics import metrics
from platefleet.models.acceptance.verdict import Comparison, Limits, compare, compare_texts


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A baseline and a candidate. truths: None where nobody labelled. threshold: at which the baseline works."""

    before: Measured
    now: Measured
    truths: Truths | None
    threshold: float

    @property
    def reads(self) -> bool:
        """Whether readers were measured, whose truths are the plates that they were shown."""
        return bool(self.before.texts)

    @property
    def wanted(self) -> Truths:
        """What is to be seen: as it is labelled, else as the baseline finds it."""
        return as_truths(self.before, self.threshold) if self.truths is None else self.truths

    def compared(self, limits: Limits) -> Comparison:
        """Return what came of comparing them."""
        if self.reads:
            return compare_texts(self.before, self.now, self.wanted.texts)
        return compare(self.before, self.now, self.truths, self.threshold, most=limits.threshold_most)

    def accuracy(self, measured: Measured, threshold: float) -> dict[str, float]:
        """Return how right one of the two is, by name; of a reader also how many texts are not the baseline's.

        Raises MissingExtra without pycocotools.
        """
        wanted = self.wanted
        if self.reads:
            texts = [text or read for text, read in zip(wanted.texts, self.before.texts, strict=True)]
            right = sum(bool(text) and read == text for text, read in zip(texts, measured.texts, strict=True))
            changed = sum(read != text for read, text in zip(self.before.texts, measured.texts, strict=True))
            return {"read_right": round(right / max(len(texts), 1), 4), "texts_changed": float(changed)}
        got = metrics(measured, wanted, threshold)
        return {
            "map_50_95": round(got.map_50_95, 4),
            "map_50": round(got.map_50, 4),
            "recall": round(got.recall, 4),
        }
