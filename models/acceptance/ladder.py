"""What is tried when an FP16 artifact loses too much: what suffers most stays in FP32, more at each rung. Pure.

An artifact that is merely too slow climbs nowhere: layers in FP32 make it slower. After the last rung nothing changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from platefleet.models.acceptance.verdict import Limits, loses_too_much
from platefleet.models.artifacts.passport import Verdict

RUNGS = (0.5, 0.9, 0.99)
"""Share of all the harm that the layers kept in FP32 at each rung do by themselves in FP16: builds take minutes."""


@dataclass(frozen=True, slots=True)
class Sensitive:
    """Layers that go together, and what harm they do alone in FP16. layers: names, the convolution first."""

    layers: tuple[str, ...]
    harm: float


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Build it again with these layers in FP32."""

    fp32_layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stay:
    """Build nothing more. why: a sentence."""

    why: str


def decide(verdict: Verdict, limits: Limits, ranked: Sequence[Sensitive], rung: int) -> Rebuild | Stay:
    """Return what to do after a verdict. ranked: of the source; rung: how many have been climbed already.

    >>> from platefleet.models.acceptance.verdict import FP16
    >>> lost = Verdict(judged="rejected", numbers={"cases": 100, "lost_at_least": 0.2})
    >>> ranked = (Sensitive(("head",), 5.0), Sensitive(("neck", "act"), 4.0), Sensitive(("stem",), 0.5))
    >>> decide(lost, FP16, ranked, 0), decide(lost, FP16, ranked, 1)
    (Rebuild(fp32_layers=('head',)), Rebuild(fp32_layers=('head', 'neck', 'act')))
    >>> decide(Verdict(judged="accepted"), FP16, ranked, 1).why
    'it is accepted'
    """
    if verdict.judged != "rejected":
        return Stay(f"it is {verdict.judged}")
    if not loses_too_much(verdict.numbers, limits):
        return Stay("it finds enough and is too slow, and layers in FP32 are slower still")
    if rung >= len(RUNGS):
        return Stay(f"no change after {rung} rungs; what runs stays")
    kept = worst(ranked, rung)
    if not kept or len(kept) >= len(ranked):
        return Stay("no change: it would be FP32 throughout; what runs stays")
    return Rebuild(tuple(name for each in kept for name in each.layers))


def worst(ranked: Sequence[Sensitive], rung: int) -> tuple[Sensitive, ...]:
    """Return what stays in FP32 at a rung: the worst that make up its share of the harm, more than at the one below.

    >>> [len(worst([Sensitive((name,), 1.0) for name in "abcdefgh"], rung)) for rung in range(3)]
    [4, 8, 8]
    >>> [len(worst([Sensitive(("a",), 99.0), Sensitive(("b",), 1.0), Sensitive(("c",), 0.0)], rung)) for rung in (0, 1)]
    [1, 2]
    """
    ordered = sorted(ranked, key=lambda each: -each.harm)
    total, sofar, count = sum(each.harm for each in ordered), 0.0, 0
    for each in ordered:
        if sofar >= RUNGS[rung] * total:
            break
        sofar += each.harm
        count += 1
    below = len(worst(ranked, rung - 1)) if rung else 0
    return tuple(ordered[: min(max(count, below + 1), len(ordered))])
