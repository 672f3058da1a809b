"""Artifacts side by side: what each costs, never without what it finds.

All are opened and run in turns on the same frames, so that a busy or hot machine is as unkind to each. An artifact
whose accuracy was not measured on this device is named and left out: the fastest engine is the one that finds nothing.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from platefleet.models.artifacts.opening import Warm
from platefleet.models.artifacts.passport import Passport
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.artifacts.warm import warm as warm_in_child
from platefleet.models.bench.runners import Given, Runner, opened
from platefleet.models.board import Board, board
from platefleet.models.build.child import Tell
from platefleet.models.errors import ArtifactError

BATCHES = (1, 2, 4, 8)
ROUNDS = 30
WARM_MOST = 20
"""Passes after which a runtime has certainly allocated what it needs."""
WARM_WITHIN = 1.1
"""A pass belongs to the warm-up while it takes longer than this many medians."""
REST_S = 0.05
"""After a runtime whose threads go on spinning, so that the next one has the cores."""
SLOWS = 1.1
"""Last third over first third from which a machine is said to slow down: heat, or somebody else's work."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of milliseconds."""

    p50: float
    p90: float
    p99: float


@dataclass(frozen=True)
class Row:
    """One artifact, or one reference. accuracy: by name, as its passport has it; empty for a reference alone.

    per_s, calls: frames (plates of a reader) a second, and milliseconds of a call, by how many are given at once.
    memory_mb: what opening and the first passes took of this process's memory. warm_up: passes until it was as fast as
    later. slows: last third over first third. times: of another row's time of the same pass, by its name.
    """

    name: str
    key: str
    total: Spread
    pre: Spread | None = None
    inference: Spread | None = None
    post: Spread | None = None
    per_s: dict[int, float] = field(default_factory=dict)
    memory_mb: float | None = None
    warm_up: int = 0
    slows: float = 1.0
    verdict: str = ""
    accuracy: dict[str, float] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    calls: dict[int, Spread] = field(default_factory=dict)


@dataclass(frozen=True)
class Bench:
    """What came of it. left_out: a sentence for each artifact without accuracy. before, after: the machine."""

    rows: tuple[Row, ...]
    left_out: tuple[str, ...]
    before: Board
    after: Board
    frames: int
    rounds: int


def measurable(passports: Sequence[Passport]) -> tuple[list[Passport], list[str]]:
    """Return the artifacts whose accuracy is known, and a sentence for each that is left out."""
    good, left_out = [], []
    for each in passports:
        if not {"recall", "read_right"} & each.verdict.numbers.keys():
            left_out.append(f"{each.title}: its accuracy was not measured; `models evaluate {each.key[:8]}` does")
        else:
            good.append(each)
    return good, left_out


def bench(
    store: ArtifactStore,
    passports: Sequence[Passport],
    frames: Sequence[Given],
    *,
    references: Sequence[Runner] = (),
    rounds: int = ROUNDS,
    warm_ups: int = WARM_MOST,
    batches: Sequence[int] = BATCHES,
    tell: Tell = lambda _step, _share: None,
    stopping: Callable[[], bool] = lambda: False,
    warm: Warm = warm_in_child,
    rest: Callable[[float], None] = time.sleep,
) -> Bench:
    """Measure artifacts of one role, and references beside them, in one run.

    frames: for readers with plates in them, of which the first is read, as often at once as is asked for. Raises
    ArtifactError if none of them has its accuracy measured, or it was stopped; what the backends raise.
    """
    good, left_out = measurable(passports)
    if not good:
        raise ArtifactError("; ".join(left_out) or "there is no artifact to measure; build one")
    before = board()
    with ExitStack() as held:
        runners = [opened(store, each, held, batches, warm) for each in good]
        runners += references
        for number, runner in enumerate(runners):
            tell(f"warming up {runner.name}", number / len(runners))
            _warm_up(runner, frames[0], warm_ups)
        order = np.random.default_rng(1)
        for turn in range(rounds):
            if stopping():
                raise ArtifactError("the benchmark was stopped; nothing was kept")
            tell(f"round {turn + 1}/{rounds}", turn / rounds)
            for at in order.permutation(len(runners)):  # nobody always follows the same one
                _pass(runners[at], frames[turn % len(frames)])
                if runners[at].spins:
                    rest(REST_S)
        passes = max(rounds // 3, 5)
        rows = tuple(_row(runner, runners, frames, passes, stopping) for runner in runners)
    return Bench(rows, tuple(left_out), before, board(), len(frames), rounds)


def _warm_up(runner: Runner, frame: Given, passes: int) -> None:
    for _ in range(passes):
        began = time.perf_counter()
        runner.run(frame, 1)
        runner.warm_ms.append((time.perf_counter() - began) * 1000)


def _pass(runner: Runner, frame: Given) -> None:
    began = time.perf_counter()
    runner.run(frame, 1)
    runner.total_ms.append((time.perf_counter() - began) * 1000)
    if runner.stages is not None:
        runner.stage_ms.append(runner.stages())


def _row(
    runner: Runner, runners: Sequence[Runner], frames: Sequence[Given], passes: int, stopping: Callable[[], bool]
) -> Row:
    staged = runner.stage_ms
    calls = {many: _at_once(runner, frames, many, passes) for many in runner.batches if not stopping()}
    return Row(
        runner.name,
        runner.key,
        spread(runner.total_ms),
        spread([each.pre for each in staged]) if staged else None,
        spread([each.inference for each in staged]) if staged else None,
        spread([each.post for each in staged]) if staged else None,
        {many: round(1000 * many / call.p50, 2) for many, call in calls.items()},
        runner.memory_mb,
        warmed(runner.warm_ms, runner.total_ms),
        slows(runner.total_ms),
        runner.verdict,
        runner.accuracy,
        {
            other.name: round(statistics.median(np.divide(runner.total_ms, other.total_ms)), 3)
            for other in runners
            if other is not runner and other.key == runner.key and runner.accuracy
        },
        calls,
    )


def warmed(warm_ms: Sequence[float], total_ms: Sequence[float]) -> int:
    """Return how many passes the warm-up took: the first ones in a row that took longer than later ones do."""
    limit = WARM_WITHIN * statistics.median(total_ms)
    return next((number for number, each in enumerate(warm_ms) if each <= limit), len(warm_ms))


def slows(total_ms: Sequence[float]) -> float:
    """Return by how much the last third of the passes takes longer than the first."""
    third = max(len(total_ms) // 3, 1)
    return round(statistics.median(total_ms[-third:]) / statistics.median(total_ms[:third]), 3)


def _at_once(runner: Runner, frames: Sequence[Given], many: int, passes: int) -> Spread:
    """Return the milliseconds of a call with `many` at once."""
    taken = []
    for turn in range(passes):
        began = time.perf_counter()
        runner.run(frames[turn % len(frames)], many)
        taken.append((time.perf_counter() - began) * 1000)
    return spread(taken)


def spread(ms: Sequence[float]) -> Spread:
    """Return percentiles, rounded to microseconds.

    >>> spread([1.0, 2.0, 3.0]).p50
    2.0
    """
    p50, p90, p99 = (round(float(each), 3) for each in np.percentile(list(ms), (50, 90, 99)))
    return Spread(p50, p90, p99)


def plain(bench: Bench) -> dict[str, Any]:
    """Return a bench as JSON has it."""
    from dataclasses import asdict  # noqa: PLC0415

    return asdict(bench)
