"""Accepted, rejected or undecided: the judgement on two measurements. Pure; what was measured is handed in.

What counts is what an operator loses: plates (or vehicles) that the baseline finds and the candidate does not. Their
share is bounded exactly, so few frames give no verdict instead of a lucky one. Mean average precision is reported
beside it and decides nothing: it moves with boxes that no barrier ever sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from platefleet.models.acceptance.interval import at_least, at_most, cases_for, median_between
from platefleet.models.acceptance.matching import as_truths, best_confidences, false_boxes
from platefleet.models.acceptance.measured import Measured, Truths
from platefleet.models.acceptance.threshold import MOST, retuned
from platefleet.models.artifacts.passport import Verdict
from platefleet.models.errors import ArtifactError


@dataclass(frozen=True, slots=True)
class Limits:
    """What a site accepts.

    lost: share of what the baseline finds that a candidate may lose, 0-1. false: boxes that find nothing, more than the
    baseline's, as a share of its finds. faster: how many times as fast it has to be. threshold_most: how far its
    threshold may be moved.
    """

    lost: float = 0.01
    false: float = 0.05
    faster: float = 1.1
    threshold_most: float = MOST


FP16 = Limits()
INT8 = Limits(lost=0.03)


def limits_for(precision: str) -> Limits:
    """Return the limits of a precision as the project sets them; a site may name others."""
    return INT8 if precision == "int8" else FP16


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing two measurements on one set of truths.

    cases: truths that the baseline finds; lost: of these, not found by the candidate; gained: the other way round.
    false_before, false_now: boxes that find nothing. speedup: median over the frames of the baseline's time over the
    candidate's on the same frame; speedup_between: where that median lies with 95 % confidence at each end.
    worst: indices of the lost truths, the surest of the baseline first. threshold: None for a reader. own_cases,
    own_lost: of cases and lost, those in a device's own frames, which are judged by agreement.
    """

    threshold: float | None
    cases: int
    lost: int
    gained: int
    false_before: int
    false_now: int
    speedup: float
    worst: tuple[int, ...] = ()
    speedup_between: tuple[float, float] | None = None
    frames: int = 0
    own_cases: int = 0
    own_lost: int = 0


def compare(
    baseline: Measured,
    candidate: Measured,
    truths: Truths | None,
    threshold: float,
    *,
    most: float = MOST,
    own_from: int | None = None,
) -> Comparison:
    """Compare two measurements of the same frames.

    truths: None where nobody labelled; then what the baseline finds stands for them. own_from: the first of a device's
    own frames, for which the truths are the baseline's finds. Raises ArtifactError if the two
    were not measured on the same frames.
    """
    if baseline.evaluation != candidate.evaluation or baseline.count != candidate.count:
        raise ArtifactError(f"{candidate.key[:8]}: measured on other frames than its baseline; evaluate both again")
    wanted = as_truths(baseline, threshold) if truths is None else truths
    mine = retuned(baseline, candidate, wanted, threshold, most=most)
    before = best_confidences(baseline, wanted)
    had, has = before >= threshold, best_confidences(candidate, wanted) >= np.float32(mine)
    lost = np.flatnonzero(had & ~has)
    own = wanted.frames >= (baseline.count if own_from is None else own_from)
    return Comparison(
        threshold=mine,
        cases=int(np.count_nonzero(had)),
        lost=len(lost),
        gained=int(np.count_nonzero(has & ~had)),
        false_before=false_boxes(baseline, wanted, threshold),
        false_now=false_boxes(candidate, wanted, mine),
        speedup=float(np.median(baseline.ms / candidate.ms)),
        worst=tuple(int(at) for at in lost[np.argsort(-before[lost], kind="stable")]),
        speedup_between=median_between(list(baseline.ms / candidate.ms)),
        frames=baseline.count,
        own_cases=int(np.count_nonzero(had & own)),
        own_lost=int(np.count_nonzero(own[lost])),
    )


def compare_texts(
    baseline: Measured, candidate: Measured, texts: Sequence[str], own: NDArray[np.bool_] | None = None
) -> Comparison:
    """Compare two readers' measurements of the same plates.

    texts: what stands on each plate, "" where nobody says; then what the baseline reads stands for it. Lost is a text
    that was read rightly, character by character, and is not any more. own: which plates are in a device's own frames.
    Raises ArtifactError if the two were not
    measured on the same plates.
    """
    if baseline.evaluation != candidate.evaluation or not len(baseline.texts) == len(candidate.texts) == len(texts):
        raise ArtifactError(f"{candidate.key[:8]}: measured on other plates than its baseline; evaluate both again")
    wanted = [text or read for text, read in zip(texts, baseline.texts, strict=True)]
    had = np.array([bool(text) and read == text for text, read in zip(wanted, baseline.texts, strict=True)], bool)
    has = np.array([read == text for text, read in zip(wanted, candidate.texts, strict=True)], bool)
    lost = np.flatnonzero(had & ~has)
    own = np.zeros(len(texts), bool) if own is None else own
    return Comparison(
        threshold=None,
        cases=int(np.count_nonzero(had)),
        lost=len(lost),
        gained=int(np.count_nonzero(~had & has & np.array([bool(text) for text in texts], bool))),
        false_before=0,
        false_now=0,
        speedup=float(np.median(baseline.ms / candidate.ms)),
        worst=tuple(int(at) for at in lost),
        speedup_between=median_between(list(baseline.ms / candidate.ms)),
        frames=baseline.count,
        own_cases=int(np.count_nonzero(had & own)),
        own_lost=int(np.count_nonzero(own[lost])),
    )


def judge(  # noqa: PLR0911 - one for each reason
    seen: Comparison, limits: Limits, *, what: str = "plates", rival: float | None = None
) -> Verdict:
    """Return the verdict on a comparison.

    rival: the speedup of the accepted artifact that this one has to beat too (INT8 has to beat FP16). Rejected is what
    surely loses too much, or is surely not faster; undecided what may still be either, with how many more cases it
    takes if nothing else is lost.
    """
    numbers = {
        "cases": float(seen.cases),
        "lost": float(seen.lost),
        "gained": float(seen.gained),
        "own_cases": float(seen.own_cases),
        "own_lost": float(seen.own_lost),
        "lost_at_most": at_most(seen.lost, seen.cases),
        "lost_at_least": at_least(seen.lost, seen.cases),
        "false_before": float(seen.false_before),
        "false_now": float(seen.false_now),
        "speedup": seen.speedup,
        "speedup_at_least": (seen.speedup_between or (seen.speedup, 0))[0],
    }

    def verdict(judged: str, reason: str, frames_more: int | None = None) -> Verdict:
        return Verdict.model_validate(
            {
                "judged": judged,
                "reason": reason,
                "numbers": numbers,
                "threshold": seen.threshold,
                "frames_more": frames_more,
            }
        )

    told = f"{seen.lost} of {seen.cases} {what} lost"
    if seen.own_cases:
        told += f" ({seen.own_lost} of {seen.own_cases} of these in own frames, by agreement)"
    if seen.cases and numbers["lost_at_least"] > limits.lost:
        return verdict("rejected", f"{told}, surely more than {limits.lost:.1%}")
    if seen.cases and seen.false_now - seen.false_before > max(limits.false * seen.cases, 2):
        return verdict(
            "rejected", f"{seen.false_now} boxes where there is nothing, the baseline has {seen.false_before}"
        )
    slow, fast = seen.speedup_between or (seen.speedup, seen.speedup)
    if fast < limits.faster:
        return verdict("rejected", f"{seen.speedup:.2f} times as fast as the baseline, not {limits.faster:g}")
    if rival is not None and seen.speedup <= rival:
        return verdict("rejected", f"{seen.speedup:.2f} times as fast as the baseline; FP16 reaches {rival:.2f}")
    if numbers["lost_at_most"] > limits.lost:
        more = max(cases_for(limits.lost, seen.lost) - seen.cases, 1)
        return verdict(
            "undecided",
            f"{told}, at most {numbers['lost_at_most']:.1%} with 95 % confidence; {limits.lost:.1%} is asked",
            more,
        )
    if slow < limits.faster:
        told = f"{slow:.2f} to {fast:.2f} times as fast as the baseline, and {limits.faster:g} is asked"
        return verdict("undecided", told, max(seen.frames, 1))
    tuned = "" if seen.threshold is None else f", threshold {seen.threshold:g}"
    return verdict("accepted", f"{told}, {seen.speedup:.2f} times as fast{tuned}")
