"""Figure two: FP32, FP16 and INT8 of both detectors, and the reader: built, measured, judged. As measured.

    python -m tests.gpu.figure_two build MODELS OUT NAME...     builds what the store lacks, one at a time
    python -m tests.gpu.figure_two judge MODELS OUT NAME...     measures and judges; writes the table, JSON and text

Judged twice: against the source's ONNX (FP32, ONNX Runtime on this machine's CPU), measured in the same run by
`accept`, and against `.pt` (FP32, torch on the same GPU), of which `figure_two_pt` kept what it found in these frames.
A vehicle is judged by agreement, plates by their labels, readings by what stands on the plates.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from platefleet.models.acceptance.acceptance import WHAT, accept
from platefleet.models.acceptance.measured import Measured
from platefleet.models.acceptance.pair import Pair
from platefleet.models.acceptance.subjects import truths_for
from platefleet.models.acceptance.verdict import judge, limits_for
from platefleet.models.artifacts.opening import open_artifact, open_reader, unwarmed
from platefleet.models.artifacts.passport import Passport
from platefleet.protocol.errors import ModelError
from tests.gpu.engine_store import Site, aloud, parts
from tests.gpu.figure_one import by_events

THRESHOLD = 0.25
ROUNDS = 300
NAMES = ("vehicle-fp32", "vehicle-fp16", "vehicle-int8", "plate-fp32", "plate-fp16", "plate-int8", "reader-fp16")
USUAL = {"vehicle": 1, "plate": 3, "reader": 3}
"""Pictures at once whose time is told."""


def gpu_ms(site: Site, passport: Passport) -> float:
    """Return the median of the engine's own time on the GPU, from an idle stream."""
    role = passport.recipe.role
    model: Any = (
        open_reader(site.store, passport, warm=unwarmed)
        if role == "reader"
        else open_artifact(site.store, passport, confidence=THRESHOLD, iou=0.7, warm=unwarmed)
    )
    try:
        gpu, plan, count = model._gpu, model._plan, USUAL[role]
        run: Callable[[], float] = by_events(gpu, lambda: plan.enqueue(count))
        taken = [run() for _ in range(ROUNDS)]
        return round(float(np.median(taken[ROUNDS // 3 :])), 4)
    finally:
        model.close()


def against_pt(site: Site, passport: Passport, kept: Path, rival: float | None) -> dict[str, Any]:
    """Judge by what `.pt` found in the same frames. rival: the speedup of an accepted FP16."""
    recipe = passport.recipe
    dataset = site.evaluation(recipe.role)
    before = Measured.load(kept.read_bytes(), str(kept))
    file = site.store.home(passport) / f"measured-{dataset.digest[:16]}.npz"
    pair = Pair(
        before,
        Measured.load(file.read_bytes(), str(file)),
        truths_for(recipe.role, dataset, passport.classes),
        THRESHOLD,
    )
    limits = limits_for(recipe.precision)
    seen = pair.compared(limits)
    verdict = judge(seen, limits, what=WHAT[recipe.role], rival=rival)
    return {
        "judged": verdict.judged,
        "reason": verdict.reason,
        "cases": seen.cases,
        "lost": seen.lost,
        "gained": seen.gained,
        "speedup": round(seen.speedup, 2),
        "threshold": seen.threshold,
        "frames_more": verdict.frames_more,
        "pt": {**pair.accuracy(pair.before, THRESHOLD), "median_ms": round(before.median_ms, 2)},
        "now": pair.accuracy(pair.now, seen.threshold or THRESHOLD),
    }


def row(site: Site, out: Path, name: str, passport: Passport, rivals: dict[str, float]) -> dict[str, Any]:
    """Measure and judge one artifact."""
    role, precision = parts(name)
    made, kept = passport.built, out / f"{role}-pt.npz"
    judged = accept(site.store, passport, site.evaluation(role), threshold=THRESHOLD, tell=aloud(name))
    verdict = judged.passport.verdict
    said: dict[str, Any] = {
        "name": name,
        "level": passport.recipe.level,
        "build_s": None if made is None else round(made.seconds, 1),
        "bytes": site.store.model(passport).stat().st_size,
        "builder": {} if made is None else made.model_dump(mode="json"),
        "gpu_ms": gpu_ms(site, passport),
        "gpu_batch": USUAL[role],
        "look_ms": [each.model_dump() for each in judged.passport.latency],
        "metrics": judged.metrics,
        "against_onnx": {
            "judged": verdict.judged,
            "reason": verdict.reason,
            "frames_more": verdict.frames_more,
            **verdict.numbers,
        },
        "lines": list(judged.lines),
    }
    if kept.exists():
        said["against_pt"] = against_pt(site, judged.passport, kept, rivals.get(role) if precision == "int8" else None)
        if precision == "fp16" and said["against_pt"]["judged"] == "accepted":
            rivals[role] = said["against_pt"]["speedup"]
    return said


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows for a person."""
    lines = ["engine | level | build s | MB | GPU ms (at once) | look ms | before -> now | against onnx | against .pt"]
    for each in rows:
        before, now = (each["metrics"][which] for which in ("before", "now"))
        accuracy = ", ".join(f"{name} {before[name]:g} -> {now[name]:g}" for name in now)
        pt = each.get("against_pt")
        told = "-" if pt is None else f"{pt['judged']}: {pt['reason']} (.pt {pt['pt']}; {pt['speedup']} times as fast)"
        look = next((at["p50"] for at in each["look_ms"] if at["batch"] == 1), None)
        lines.append(
            f"{each['name']} | {each['level']} | {each['build_s']} | {each['bytes'] / 1e6:.1f} | "
            f"{each['gpu_ms']} ({each['gpu_batch']}) | {look} | {accuracy} | "
            f"{each['against_onnx']['judged']}: {each['against_onnx']['reason']} | {told}"
        )
    return "\n".join(lines)


def main(what: str, models: str, out: str, *names: str) -> None:
    site, rows, rivals = Site.at(Path(models)), [], dict[str, float]()
    for name in names or NAMES:
        try:
            passport = site.built(name, tell=aloud(name))
            seconds = passport.built.seconds if passport.built else 0
            print(f"{name}: {passport.title}, {seconds:.1f} s", flush=True)
            if what == "judge":
                rows.append(row(site, Path(out), name, passport, rivals))
                Path(out, "figure_two.json").write_text(json.dumps(rows, indent=1))
        except ModelError as error:  # noqa: PERF203 - the others are told all the same
            print(f"{name}: {type(error).__name__}: {error}", flush=True)
    if rows:
        Path(out, "figure_two.txt").write_text(table(rows) + "\n")
        print(table(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
