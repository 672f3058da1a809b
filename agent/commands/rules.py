"""Standing rules: what the device does off-hours without anybody's command. Decisions alone; `standing` does the rest.

engines: the artifact that was chosen for a role fits this GPU and TensorRT, or is built anew for it (after an upgrade
of JetPack) and activated. retry: what failed by something that passes is tried again on other days. benchmark,
evaluate, prune: now and then. Each asks for commands of the device's own, with the same trail as an operator's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from platefleet.models.artifacts.key import key_of
from platefleet.models.artifacts.passport import Machine, Passport, Role
from platefleet.protocol.messages import Rule
from platefleet.protocol.messages.desired import RuleName

DAY_NS = 86_400 * 1_000_000_000
USUAL_DAYS: Mapping[str, int] = {"benchmark": 7, "evaluate": 30, "prune": 7}
AGAIN_DAYS = (1, 2, 4, 7)
"""Pauses after tries of the same thing that came to nothing."""
EARLY_NS = 6 * 3600 * 1_000_000_000
"""A day of a rule is the next night, and not 24 hours: an opening comes an hour early when the clocks go forward, and
what begins later in one night must not wander out of a short window."""
RETRIES = 3
"""So often something that was deferred is asked for again."""


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """What a role has. active: the passport of what was chosen; None: nothing was. sources: digests."""

    role: Role
    active: Passport | None = None
    passports: tuple[Passport, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deferred:
    """A command that failed by something that passes. failed_ns: when, UTC. retried: how often it was asked again."""

    id: str
    operation: str
    arguments: Mapping[str, Any]
    failed_ns: int
    retried: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """When a rule last asked for something, and how often in a row it came to nothing."""

    asked_ns: int
    failed: int = 0


@dataclass(frozen=True)
class Facts:
    """Everything that the rules look at. busy: the marks of what is open now. frames: whether it can be measured."""

    now_ns: int
    machine: Machine
    roles: Sequence[RoleFacts] = ()
    frames: bool = False
    marks: Mapping[str, Mark] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()
    deferred: Sequence[Deferred] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What a rule asks for. mark: names it, so that it is not asked for twice."""

    rule: RuleName
    operation: str
    arguments: Mapping[str, Any]
    mark: str


def due(rules: Sequence[Rule], facts: Facts) -> tuple[Work, ...]:
    """Return what is to be asked for now."""
    found: list[Work] = []
    for rule in rules:
        if rule.enabled:
            found += [work for work in _WANTED[rule.name](facts) if _may(work, facts, _every_days(rule))]
    return tuple(found)


def _engines(facts: Facts) -> Iterator[Work]:
    for each in facts.roles:
        work = _engine(each, facts.machine)
        if work is not None:
            yield work


def _retries(facts: Facts) -> Iterator[Work]:
    for failed in facts.deferred:
        if failed.retried < RETRIES and _past(failed.failed_ns, _pause_ns(failed.retried), facts.now_ns):
            yield Work("retry", failed.operation, failed.arguments, f"retry:{failed.id}")


def _benchmarks(facts: Facts) -> Iterator[Work]:
    for each in facts.roles:
        if facts.frames and sum(_measured(passport) for passport in each.passports) > 1:
            yield Work("benchmark", "benchmark", {"role": each.role}, f"benchmark:{each.role}")


def _evaluations(facts: Facts) -> Iterator[Work]:
    for each in facts.roles if facts.frames else ():
        for passport in each.passports:
            if fits(passport, facts.machine) and _worth_judging(passport, each.active):
                arguments = {"role": each.role, "key": passport.key}
                yield Work("evaluate", "evaluate", arguments, f"evaluate:{each.role}:{passport.key}")


def _prunings(facts: Facts) -> Iterator[Work]:
    if any(each.passports for each in facts.roles):
        yield Work("prune", "prune", {}, "prune")


_WANTED: Mapping[RuleName, Callable[[Facts], Iterator[Work]]] = {
    "engines": _engines,
    "retry": _retries,
    "benchmark": _benchmarks,
    "evaluate": _evaluations,
    "prune": _prunings,
}


def fits(passport: Passport, machine: Machine) -> bool:
    """Return whether an artifact can run on this machine: other formats than engines run on any."""
    return passport.recipe.format != "tensorrt" or key_of(passport.recipe, machine) == passport.key


def _engine(facts: RoleFacts, machine: Machine) -> Work | None:
    """Return what brings a role an artifact that fits, or None where it has one or nothing can be done."""
    active = facts.active
    if machine.tensorrt is None or (active is not None and fits(active, machine)):
        return None
    fit = [
        each
        for each in facts.passports
        if each.recipe.format == "tensorrt" and fits(each, machine)
        if active is None or _chosen(each) == _chosen(active)
    ]
    ready = [each for each in fit if each.verdict.judged == "accepted"]
    if ready:
        newest = max(ready, key=lambda each: each.made_utc_ns)
        arguments: dict[str, Any] = {"role": facts.role, "key": newest.key}
        return Work("engines", "activate", arguments, f"engines:{facts.role}:{newest.key}")
    if active is not None:
        recipe = active.recipe
        wanted = {"precision": recipe.precision, "size": recipe.size, "batch": recipe.batch, "level": recipe.level}
        source = recipe.source
    elif len(facts.sources) == 1:
        wanted, source = {"precision": "fp16"}, facts.sources[0]
    else:
        return None
    if source not in facts.sources or any(
        each.recipe.source == source and each.verdict.judged == "rejected" for each in fit
    ):
        return None  # nothing to build it from; or it was built here, and is worse than what serves meanwhile
    chosen = {name: value for name, value in wanted.items() if value is not None}
    arguments = {"role": facts.role, "format": "tensorrt", "source": source, **chosen}
    return Work("engines", "build", arguments, f"engines:{facts.role}:{source[:16]}:{chosen['precision']}")


def _chosen(passport: Passport) -> tuple[object, ...]:
    """Return what a person chose of an artifact, which no rule changes: weights, precision, size."""
    recipe = passport.recipe
    return recipe.source, recipe.precision, recipe.size


def _measured(passport: Passport) -> bool:
    return "recall" in passport.verdict.numbers


def _worth_judging(passport: Passport, active: Passport | None) -> bool:
    """Whether more frames may say more: what too little was measured of, and what serves."""
    serves = active is not None and passport.key == active.key and passport.verdict.judged != "baseline"
    return serves or passport.verdict.judged in {"undecided", "unmeasured"}


def _may(work: Work, facts: Facts, every_days: int) -> bool:
    """Whether it is time: not while it is open, not too soon after the last time, less often after failures."""
    if work.mark in facts.busy:
        return False
    mark = facts.marks.get(work.mark)
    if mark is None:
        return True
    return _past(mark.asked_ns, _pause_ns(mark.failed - 1) if mark.failed else every_days * DAY_NS, facts.now_ns)


def _past(since_ns: int, pause_ns: int, now_ns: int) -> bool:
    """Whether a pause is over. One that begins in the future is: a clock was set back, maybe by years."""
    return since_ns > now_ns or now_ns - since_ns >= pause_ns - EARLY_NS


def _every_days(rule: Rule) -> int:
    return rule.every_days or USUAL_DAYS.get(rule.name, 1)


def _pause_ns(failed: int) -> int:
    return AGAIN_DAYS[min(max(failed, 0), len(AGAIN_DAYS) - 1)] * DAY_NS
