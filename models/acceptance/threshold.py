"""The confidence at which a candidate works like its baseline: quantization squeezes them and keeps their order."""

from __future__ import annotations

import numpy as np

from platefleet.models.acceptance.matching import best_confidences, false_boxes
from platefleet.models.acceptance.measured import Measured, Truths

MOST = 0.02
"""How far a threshold is moved unless more is asked for: a larger shift is a different model."""
STEP = 0.0025


def retuned(baseline: Measured, candidate: Measured, truths: Truths, threshold: float, *, most: float = MOST) -> float:
    """Return the candidate's threshold, within `most` of the baseline's: the one at which it finds as many truths.

    Of those that find as many as the baseline (or, where none does, the most) the one with the fewest false boxes is
    taken, and of equal ones the nearest to the baseline's, so that equal models keep their threshold exactly.
    """
    wanted = int(np.count_nonzero(best_confidences(baseline, truths) >= threshold))
    best = best_confidences(candidate, truths)
    steps = round(most / STEP)
    choices = [threshold + STEP * step for step in range(-steps, steps + 1) if 0 < threshold + STEP * step < 1]

    def merit(choice: float) -> tuple[float, ...]:
        found = int(np.count_nonzero(best >= np.float32(choice)))
        return min(found, wanted), -false_boxes(candidate, truths, choice), -abs(choice - threshold)

    chosen: float = max(choices, key=merit)
    return round(chosen, 4)
