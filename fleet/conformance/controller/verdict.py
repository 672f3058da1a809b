"""What was seen of a controller, judged. Pure: openings, beats and what was said go in, outcomes come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from platefleet.fleet.conformance.controller.points import BEATS, EXPLAINED, OVER_THE_RUN, Point
from platefleet.fleet.conformance.outcome import Outcome, judged
from platefleet.fleet.conformance.pulses import Opening
from platefleet.protocol.clock import SECOND_NS

RATE_LEAST, RATE_MOST = 0.5, 2.0
"""Beats a second: one, and as much as a busy machine may be off on the average of the run."""
TOLD_MOST = 3


@dataclass(frozen=True)
class Played:
    """One point as it was played. plates: its texts, strangers last. fenced: whether the good event after it opened.

    trouble: what came in between, such as a restart after which no beat came.
    """

    point: Point
    plates: tuple[str, ...]
    began_ns: int
    ended_ns: int
    fenced: bool
    fences: int = 1
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class HeardBeat:
    """A beat that came."""

    at_ns: int
    gate: str
    n: int


def of_point(played: Played, openings: Sequence[Opening]) -> Outcome:
    """Judge one point. openings: those that name one of its plates, since it began."""
    point = played.point
    problems = [played.trouble] if played.trouble else []
    expected = (*point.opens, *(0 for _ in played.plates[len(point.opens) :]))
    for plate, times in zip(played.plates, expected, strict=True):
        seen = [opening for opening in openings if opening.plate == plate]
        if len(seen) != times:
            problems.append(_unlike(f" for {plate}", seen, times, played.began_ns))
    return judged(point.name, point.why, problems or _unproven(played))


def of_bare(played: Played, openings: Sequence[Opening]) -> Outcome:
    """Judge one point that was played alone, by pulses that name no plate."""
    problems = [played.trouble] if played.trouble else []
    times = sum(played.point.opens) + (played.fences if played.fenced else 0)
    if len(openings) != times:
        problems.append(_unlike(", good events included", openings, times, played.began_ns))
    return judged(played.point.name, played.point.why, problems or _unproven(played))


def of_beats(heard: Sequence[HeardBeat]) -> Outcome:
    """Judge the beats of each controller that sent any."""
    problems = [] if heard else ["no beat came"]
    for gate in sorted({beat.gate for beat in heard}):
        beats = [beat for beat in heard if beat.gate == gate]
        jumps = sum(after.n != before.n + 1 for before, after in pairwise(beats))
        if jumps:
            problems.append(f"{gate}: n did not rise by one {_times(jumps)} in {len(beats)} beats")
        took_s = (beats[-1].at_ns - beats[0].at_ns) / SECOND_NS
        rate = (len(beats) - 1) / took_s if took_s else 0.0
        if not RATE_LEAST <= rate <= RATE_MOST:
            problems.append(f"{gate}: {rate:.2f} beats a second, one would be right")
    return judged(BEATS, OVER_THE_RUN[BEATS], problems)


def of_unexplained(openings: Sequence[Opening], began_ns: int) -> Outcome:
    """Judge the openings that belong to nothing that was announced."""
    problems = [
        f"after {(each.at_ns - began_ns) / SECOND_NS:.1f} s for {ascii(each.plate[:40]) if each.plate else 'no plate'}"
        for each in openings[:TOLD_MOST]
    ]
    if openings:
        problems.append(f"{len(openings)} in all; where pulses cannot name the plate, `--pulses bare` plays one by one")
    return judged(EXPLAINED, OVER_THE_RUN[EXPLAINED], problems)


def _unlike(what: str, seen: Sequence[Opening], times: int, began_ns: int) -> str:
    when = ", ".join(f"{max(0, each.at_ns - began_ns) / SECOND_NS:.1f} s" for each in seen[:TOLD_MOST])
    did = f"opened {_times(len(seen))}{what} (after {when})" if seen else f"did not open{what}"
    return f"{did}; {_times(times) if times else 'never'} would be right"


def _unproven(played: Played) -> list[str]:
    if played.fenced or (played.point.opens and 0 not in played.point.opens):
        return []
    return ["a good event after it opened nothing, so that nothing opened before proves nothing; did it die?"]


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
