"""Whether an artifact that was just swapped in does worse than what ran before: a sequential test, pure.

Frames of one car are not independent, cars are: what is compared are visits, each with the share of its frames in which
the role's work was done, the mean confidence and the median latency. Traffic does not count, since a visit is
something that the other roles see: a vehicle for the plate model, a plate for the vehicle model and for the reader.

The test. The visits of the hour before, made worse by what acceptance tolerates, are the first pool. Each visit since
the swap is ranked among the pool and joins it; p = (how many of the pool are worse + U) / size, ties in an order drawn
once. If the visits since are independent of each other and as good as the pool, these p are independent and uniform
(Renyi), if they are better they are only larger: so for every falling density f on [0, 1] the product of f(p) is a
supermartingale, and the mean of several such products is one. It exceeds 1/α ever with a probability of at most α
(Ville), whatever the distribution of visits, however small the pool, and however often one looks. Three such tests
share the false-alarm rate evenly (Bonferroni).

Sources: Vovk, Nouretdinov and Gammerman, "Testing exchangeability on-line", ICML 2003; Bhattacharya and Frierson, "A
nonparametric control chart for detecting small disorders", Annals of Statistics 9 (1981); Ville, "Etude critique de la
notion de collectif", 1939.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from platefleet.models.artifacts.passport import Role
from platefleet.models.reading import Sighting

STAGE: dict[Role, str] = {"vehicle": "vehicle", "plate": "plate", "reader": "read"}
"""A role's stage in `Sighting.ms`."""
QUIET_LOOKS = 10
"""So many looks without a chance end a visit: a second at ten frames per second."""
MOST_CHANCES = 100
"""A car that waits for minutes is no single visit: everything would hang on it."""
LEAST_CHANCES = 3
"""Fewer are no visit but flicker."""
LEAST_CHARACTERS = 4
_SLOPES = (0.25, 0.5, 0.95)
_POWERS = (0.4, 0.7)
"""The densities that are bet on: 1 + k(1 - 2p) for a shift of all visits, e p^(e-1) for a few lost entirely."""
_LEAST_P = 1e-6

Draw = Callable[[], float]
"""Gives a number of [0, 1), uniform and independent: `random.Random(seed).random`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How a trial is watched.

    false_alarm: the most likely that an artifact as good as the one before is given up, over the whole trial.
    visits: after so many without an alarm it is confirmed. reference: visits before the swap that it takes to begin.
    share, confidence: what a visit may lose of them, 0-1; slower: how many times as slow it may be.
    looks: frames within which all of this is decided.
    """

    false_alarm: float = 0.01
    visits: int = 200
    reference: int = 64
    share: float = 0.03
    confidence: float = 0.05
    slower: float = 1.25
    looks: int = 10_000_000


@dataclass(frozen=True, slots=True)
class Chance:
    """One frame in which a role could show what it can. confidence: of what it found, None if it found nothing."""

    confidence: float | None
    ms: float


@dataclass(frozen=True, slots=True)
class Visit:
    """One car. share: of its frames with the work done. confidence: mean of those, None without one. ms: median."""

    share: float
    confidence: float | None
    ms: float


def chance_of(role: Role, seen: Sighting) -> Chance | None:
    """Return what a frame says of a role; None if it says nothing: there was nothing to be found or read."""
    ms = seen.ms.get(STAGE[role], 0.0)
    best = seen.plates[0] if seen.plates else None
    match role:
        case "plate" if len(seen.vehicles):
            return Chance(None if best is None else best.confidence, ms)
        case "vehicle" if best is not None:
            return Chance(None if best.vehicle is None else float(seen.vehicles.confidences[best.vehicle]), ms)
        case "reader" if best is not None:
            legible = len(best.reading.text) >= LEAST_CHARACTERS
            return Chance(best.reading.mean if legible else None, ms)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Gathering:
    """The visit that a lane has now. quiet: looks since its last chance."""

    chances: tuple[Chance, ...] = ()
    quiet: int = 0


def gather(lane: Gathering, chance: Chance | None) -> tuple[Gathering, Visit | None]:
    """Take in one look of a lane; return its visit if it ended with it."""
    if chance is None:
        if lane.quiet + 1 < QUIET_LOOKS:
            return replace(lane, quiet=lane.quiet + 1), None
        return Gathering(quiet=lane.quiet), _visit(lane.chances)
    chances = (*lane.chances, chance)
    return (Gathering(), _visit(chances)) if len(chances) >= MOST_CHANCES else (Gathering(chances), None)


def _visit(chances: Sequence[Chance]) -> Visit | None:
    if len(chances) < LEAST_CHANCES:
        return None
    sure = [each.confidence for each in chances if each.confidence is not None]
    return Visit(len(sure) / len(chances), sum(sure) / len(sure) if sure else None, median(each.ms for each in chances))


@dataclass(frozen=True, slots=True)
class Ranks:
    """One test. pool: scores with the order of their ties, ascending; a low score is bad. wealth: log of each bet's."""

    pool: tuple[tuple[float, float], ...]
    wealth: tuple[float, ...] = (0.0,) * (len(_SLOPES) + len(_POWERS))

    @property
    def evidence(self) -> float:
        """The log of how much the bets have won on average: above log(1/α) it is an alarm at the rate α."""
        most = max(self.wealth)
        return most + math.log(sum(math.exp(each - most) for each in self.wealth) / len(self.wealth))


def pooled(scores: Sequence[float], draw: Draw) -> Ranks:
    """Return a test that begins with the scores of before."""
    return Ranks(tuple(sorted((score, draw()) for score in scores)))


def ranked(test: Ranks, score: float, draw: Draw) -> Ranks:
    """Rank one more score, bet on it being low, and let it join the pool."""
    item = (score, draw())
    place = bisect_left(test.pool, item)
    p = max((place + draw()) / (len(test.pool) + 1), _LEAST_P)
    won = [math.log1p(slope * (1 - 2 * p)) for slope in _SLOPES]
    won += [math.log(power) + (power - 1) * math.log(p) for power in _POWERS]
    wealth = tuple(had + more for had, more in zip(test.wealth, won, strict=True))
    return Ranks((*test.pool[:place], item, *test.pool[place:]), wealth)


@dataclass(frozen=True, slots=True)
class Watch:
    """A trial that is watched. visits, looks: since the swap."""

    limits: Limits
    before: tuple[Visit, ...]
    share: Ranks
    confidence: Ranks
    speed: Ranks
    since: tuple[Visit, ...] = field(default=())
    looks: int = 0


def begin(before: Sequence[Visit], limits: Limits, draw: Draw) -> Watch:
    """Return the watch of a swap that is made now. before: the visits of the hour before."""
    sure = [visit.confidence for visit in before if visit.confidence is not None]
    return Watch(
        limits,
        tuple(before),
        share=pooled([visit.share - limits.share for visit in before], draw),
        confidence=pooled([each - limits.confidence for each in sure], draw),
        speed=pooled([-visit.ms * limits.slower for visit in before], draw),
    )


def looked(watch: Watch) -> Watch:
    """Count one frame."""
    return replace(watch, looks=watch.looks + 1)


def follow(watch: Watch, visit: Visit, draw: Draw) -> Watch:
    """Take in one visit since the swap."""
    sure = visit.confidence
    return replace(
        watch,
        share=ranked(watch.share, visit.share, draw),
        confidence=watch.confidence if sure is None else ranked(watch.confidence, sure, draw),
        speed=ranked(watch.speed, -visit.ms, draw),
        since=(*watch.since, visit),
    )


def alarm(watch: Watch) -> str | None:
    """Return why the artifact is to be given up, or None if nothing speaks against it so far."""
    limit = math.log(3 / watch.limits.false_alarm)
    told = f"in {len(watch.since)} visits, {watch.looks} frames"
    if watch.share.evidence >= limit:
        return f"it found or read {_share(watch.since):.0%} {told}; before it was {_share(watch.before):.0%}"
    if watch.confidence.evidence >= limit:
        return f"it is less sure, {_confidence(watch.since):.2f} {told}; before it was {_confidence(watch.before):.2f}"
    if watch.speed.evidence >= limit:
        return f"it is slower, {_ms(watch.since):.0f} ms {told}; before it was {_ms(watch.before):.0f} ms"
    if watch.looks >= watch.limits.looks and len(watch.since) < watch.limits.visits:
        return f"too little came by to tell whether it is as good: {len(watch.since)} visits in {watch.looks} frames"
    return None


def good(watch: Watch) -> bool:
    """Whether enough was seen without an alarm."""
    return len(watch.since) >= watch.limits.visits and alarm(watch) is None


def _share(visits: Sequence[Visit]) -> float:
    return sum(visit.share for visit in visits) / max(1, len(visits))


def _confidence(visits: Sequence[Visit]) -> float:
    sure = [visit.confidence for visit in visits if visit.confidence is not None]
    return sum(sure) / max(1, len(sure))


def _ms(visits: Sequence[Visit]) -> float:
    return median(visit.ms for visit in visits) if visits else 0.0
