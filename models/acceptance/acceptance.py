"""Measure an artifact and its baseline in one run, judge, and write what came of it into the passport."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.acceptance.evaluate import Progress, together
from platefleet.models.acceptance.measured import Measured
from platefleet.models.acceptance.pair import Pair
from platefleet.models.acceptance.subjects import Plates, plates_in, subject, truths_for, vehicles_in
from platefleet.models.acceptance.verdict import Comparison, Limits, judge, limits_for
from platefleet.models.acceptance.worst import write_worst
from platefleet.models.artifacts.key import key_of
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.opening import Warm
from platefleet.models.artifacts.passport import Latency, Passport, Recipe, Verdict
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.artifacts.warm import warm as warm_in_child
from platefleet.models.build.child import Bounds, Tell
from platefleet.models.build.run import Order, build
from platefleet.models.errors import ArtifactError
from platefleet.models.own_days import check_days

WHAT = {"vehicle": "vehicles", "plate": "plates", "reader": "readings"}


@dataclass(frozen=True)
class Judged:
    """What came of an acceptance. lines: for a person. metrics: by `before`, `now` and name, for a program."""

    passport: Passport
    lines: tuple[str, ...]
    metrics: dict[str, dict[str, float]]


def accept(
    store: ArtifactStore,
    passport: Passport,
    dataset: Dataset,
    *,
    threshold: float,
    limits: Limits | None = None,
    worst: Path | None = None,
    tell: Tell = lambda _step, _share: None,
    stopping: Callable[[], bool] = lambda: False,
    warm: Warm = warm_in_child,
) -> Judged:
    """Judge an artifact against the baseline of its source on these frames; the passport then says what came of it.

    The baseline is built if the store has none. INT8 has to beat an accepted FP16 of the same source too, which is
    measured beside it. threshold: the baseline's operating confidence. worst: a folder for pictures of what was lost
    and of what was hardly found. A rejected artifact may be judged again on more frames; a baseline is measured alone.
    Raises ArtifactError, BuildError, and what the backends raise.
    """
    recipe = passport.recipe
    check_days(dataset.paths, "evaluation")
    known = {each[:16] for each in dataset.pictures()} & set(passport.calibrated_on)
    if known:
        raise ArtifactError(
            f"{passport.title}: was calibrated on {len(known)} of these pictures and would praise itself; take others"
        )
    baseline = baseline_of(store, passport, tell)
    rival = None if baseline.key == passport.key else _rival(store, passport)
    with ExitStack() as held:
        plates: Plates | None = None
        vehicles = None
        if recipe.role == "reader":
            plates = plates_in(store, dataset, _progress(tell, "finding plates"))
        elif recipe.role == "plate":
            vehicles = held.enter_context(vehicles_in(store, dataset, _progress(tell, "finding vehicles")))
        measured_ones = [each for each in (baseline, passport, rival) if each is not None]
        by_key = {each.key: each for each in measured_ones}  # a baseline that is judged itself is measured once
        subjects = []
        for each in by_key.values():
            tell(f"opening {each.title}", None)
            subjects.append(held.enter_context(subject(store, each, vehicles, plates, warm=warm)))
        measured = together(
            subjects,
            dataset,
            only=None if plates is None else plates.boxes.keys(),
            progress=_progress(tell, "measuring"),
            stopping=stopping,
        )
    if stopping():
        raise ArtifactError(f"{passport.title}: its evaluation was stopped; its verdict is as it was")
    found = dict(zip(by_key, measured, strict=True))
    truths = plates.truths if plates is not None else truths_for(recipe.role, dataset, baseline.classes)
    own_from = None if dataset.labels is None else dataset.own_from
    pair = Pair(found[baseline.key], found[passport.key], truths, threshold, own_from)
    bounds = limits or limits_for(recipe.precision)
    seen = pair.compared(bounds)
    told = {
        "before": pair.accuracy(pair.before, threshold),
        "now": pair.accuracy(pair.now, seen.threshold or threshold),
    }
    beaten = float(np.median(pair.before.ms / found[rival.key].ms)) if rival is not None else None
    verdict = _verdict(passport, baseline, seen, bounds, beaten)
    by_labels = pair.truths is not None and pair.truths.labelled
    earlier = {f"{name}_before": value for name, value in told["before"].items()}
    numbers = {"labelled": float(by_labels), **earlier, **told["now"]}
    verdict = verdict.model_copy(
        update={
            "baseline": baseline.key,
            "evaluation": dataset.digest,
            "numbers": {**verdict.numbers, **numbers},
        }
    )
    store.attach(passport, f"{dataset.digest[:16]}.npz", pair.now.save())
    changed = store.update(recipe.role, passport.key, lambda kept: _written(kept, passport, verdict, pair.now))
    if worst is not None:
        tell("drawing", None)
        drawn = f"{worst}: {len(write_worst(worst, dataset, pair, seen))} pictures of what was lost or hardly found"
    lines = (_frames(pair, seen, baseline, len(dataset)), *_lines(changed, pair, seen, told))
    return Judged(changed, lines if worst is None else (*lines, drawn), told)


def baseline_of(
    store: ArtifactStore,
    passport: Passport,
    tell: Tell,
    *,
    bounds: Bounds | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Passport:
    """Return what an artifact is compared with: its source as it came, built here if the store has not got it."""
    recipe = passport.recipe
    if passport.verdict.judged == "baseline":
        return passport
    known = [
        each
        for each in store.passports(recipe.role)
        if each.verdict.judged == "baseline"
        and each.recipe.source == recipe.source
        and (recipe.role == "reader" or each.recipe.size == recipe.size)
    ]
    if known:
        return max(known, key=lambda each: (each.recipe.format == "pt", each.made_utc_ns))
    own = Recipe(role=recipe.role, source=recipe.source, format="onnx", precision="fp32", size=recipe.size, batch=None)
    order = Order(own, bounds=bounds or Bounds())
    return build(
        store, order, machine=machine(), tell=lambda step, share: tell(f"baseline: {step}", share), stopping=stopping
    )


def _rival(store: ArtifactStore, passport: Passport) -> Passport | None:
    """Return the accepted FP16 that an INT8 artifact has to beat: of its source, and one that runs where it does."""
    recipe = passport.recipe
    if recipe.precision != "int8":
        return None
    others = [
        each
        for each in store.passports(recipe.role)
        if each.verdict.judged == "accepted"
        and each.recipe.precision == "fp16"
        and (each.recipe.source, each.recipe.size) == (recipe.source, recipe.size)
        and key_of(each.recipe, passport.machine) == each.key  # an engine of another TensorRT or GPU has another key
    ]
    return others[-1] if others else None


def _verdict(passport: Passport, baseline: Passport, seen: Comparison, limits: Limits, beaten: float | None) -> Verdict:
    what = WHAT[passport.recipe.role]
    if passport.key != baseline.key:
        return judge(seen, limits, what=what, rival=beaten)
    numbers = {"cases": float(seen.cases)}
    return Verdict(judged="baseline", reason=f"{seen.cases} {what} found", numbers=numbers, threshold=seen.threshold)


def _written(kept: Passport, judged: Passport, verdict: Verdict, now: Measured) -> Passport:
    """Return the passport with its verdict, unless another model took the artifact's place meanwhile."""
    if kept.files != judged.files:
        raise ArtifactError(f"{judged.title}: was built anew while it was measured; evaluate it again")
    p50, p90, p99 = (round(float(each), 3) for each in np.percentile(now.ms, (50, 90, 99)))
    latency = Latency(batch=1, p50=p50, p90=p90, p99=p99, timed=now.count)
    others = tuple(each for each in kept.latency if each.batch != 1)
    return kept.model_copy(update={"verdict": verdict, "latency": (latency, *others)})


def _frames(pair: Pair, seen: Comparison, baseline: Passport, frames: int) -> str:
    """Return what was looked at, and by whose word it was judged."""
    total = seen.cases if pair.truths is None else len(pair.truths)
    if pair.own_from is not None and pair.reads:
        total -= int(np.count_nonzero(pair.wanted.frames >= pair.own_from))
    told = f"frames: {pair.now.count} of {frames}, {total} {WHAT[baseline.recipe.role]}"
    if pair.own_from is not None:
        return f"{told}; and {seen.own_cases} that {baseline.title} finds in {frames - pair.own_from} own frames"
    if pair.truths is not None and pair.truths.labelled:
        return told
    return f"{told}, which nobody labelled: judged by agreement with {baseline.title}"


def _lines(passport: Passport, pair: Pair, seen: Comparison, told: dict[str, dict[str, float]]) -> list[str]:
    """Return what an operator wants to know."""
    what, verdict = WHAT[passport.recipe.role], passport.verdict
    if verdict.judged == "baseline":
        return [*(f"{name}: {value:g}" for name, value in told["now"].items()), f"median: {pair.now.median_ms:.1f} ms"]
    lines = [
        f"{what}: the baseline finds {seen.cases}; {seen.lost} of them are lost, {seen.gained} others gained",
        *(f"{name}: {told['before'][name]:g} before, {value:g} now" for name, value in told["now"].items()),
        f"median: {pair.before.median_ms:.1f} ms before, {pair.now.median_ms:.1f} ms now",
    ]
    if verdict.frames_more:
        lines.append(f"about {verdict.frames_more} more {what} would tell")
    return lines


def _progress(tell: Tell, step: str) -> Progress:
    def progress(done: int, wanted: int) -> None:
        tell(f"{step} {done}/{wanted}", done / max(wanted, 1))

    return progress
