"""Prints what `onnx` artifacts cost on this processor, beside ONNX Runtime by hand and ultralytics' `.pt`, in one run.

    python -m tests.onnx_figures                     the pinned models on the barrier photos
    python -m tests.onnx_figures --frames DIR        and on more pictures, which count by agreement: the barrier photos
                                                     show few whole vehicles
    python -m tests.onnx_figures --roles vehicle     stage one alone

For each role: FP32 and INT8 built, judged against the baseline, and benchmarked in shuffled turns with the references.
What is printed as `times` is the median of a row's time over another's in the same turn: ours over the runtime's is our
overhead. Where others use the cores, the runtime's call within our own passes is the steadier comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from platefleet.models.acceptance.acceptance import accept
from platefleet.models.acceptance.dataset import Dataset, load_dataset, pooled
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.passport import Passport, Recipe, Role
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.bench.artifacts import bench
from platefleet.models.bench.references import raw_session, ultralytics
from platefleet.models.bench.runners import pictures
from platefleet.models.build.run import Order, build
from platefleet.models.weights import Materials, materials
from tests.artifact_stores import photo_folder

SIZES: dict[Role, int] = {"vehicle": 640, "plate": 416}
CALIBRATED_ON = 6
"""Barrier photos for INT8's ranges; the other twelve judge."""


def frames_for(role: Role, kept: Materials, root: Path, more: Path | None) -> tuple[Dataset, Dataset]:
    """Return what INT8 is calibrated on, and what it is judged on. Nobody labelled vehicles."""
    labelled = role == "plate"
    calibration = load_dataset(photo_folder(kept.photos[:CALIBRATED_ON], root / role / "calibration"))
    shown = load_dataset(photo_folder(kept.photos[CALIBRATED_ON:], root / role / "shown", labels=labelled))
    if more is None:
        return calibration, shown
    plain = root / role / "more"
    plain.mkdir()
    for path in sorted(more.glob("*.jpg")):
        shutil.copy(path, plain)
    return calibration, pooled(shown, load_dataset(plain))


def checkpoint_of(role: Role, kept: Materials, root: Path) -> Path:
    """Return a `.pt` of the same weights: the plate model's own; the vehicle model's made from its export."""
    if role == "plate":
        return kept.checkpoint
    from tests.gpu.checkpoint_from_onnx import checkpoint  # noqa: PLC0415 - torch

    checkpoint(kept.vehicle, root / "vehicle.pt")
    return root / "vehicle.pt"


def figures(role: Role, root: Path, rounds: int, more: Path | None) -> None:
    """Build, judge, measure and print one role."""
    kept = materials(photos=True)
    store, size = ArtifactStore(root / role / "artifacts"), SIZES[role]
    calibration, shown = frames_for(role, kept, root, more)
    source = store.add_source(role, getattr(kept, role))
    recipe = Recipe(role=role, source=source, format="onnx", precision="fp32", size=size, batch=None)
    small = recipe.model_copy(update={"precision": "int8", "head_fp32": True})
    both = [build(store, order, machine=machine()) for order in (Order(recipe), Order(small, calibration))]
    judged: list[Passport] = [accept(store, each, shown, threshold=0.25).passport for each in both]
    fp32 = judged[0]
    beside = [
        raw_session(store.model(fp32), size, fp32.key),
        raw_session(store.model(fp32), size, fp32.key, defaults=True),
        ultralytics(checkpoint_of(role, kept, root), size, fp32.key),
    ]
    result = bench(store, judged, pictures(store, role, shown, 20), references=beside, rounds=rounds, batches=(1,))
    for row in result.rows:
        print(f"{role} {row.name}: {row.total.p50:.1f} / {row.total.p90:.1f} / {row.total.p99:.1f} ms, {row.verdict}")
        if row.inference is not None:
            print(f"    {row.total.p50 / row.inference.p50:.3f} times the runtime's own call within the same passes")
        for name, ratio in row.times.items():
            print(f"    {ratio:.3f} times the time of {name}")
        if row.accuracy:
            print(f"    {json.dumps(row.accuracy)}")
    for passport in judged:
        print(f"{passport.title}: {passport.verdict.judged}: {passport.verdict.reason}")
    by_key = {row.key: row for row in result.rows if row.accuracy}
    speedup = by_key[fp32.key].total.p50 / by_key[judged[1].key].total.p50
    print(f"{role} INT8: {speedup:.2f} times as fast as FP32 in this run")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print everything, and how busy the machine was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--roles", nargs="+", choices=tuple(SIZES), default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--frames", type=Path)
    chosen = parser.parse_args(arguments)
    where = machine()
    print(f"{where.cpu}, ONNX Runtime {where.onnxruntime}, load {os.getloadavg()[0]:.1f} before", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for role in chosen.roles:
            figures(role, Path(folder), chosen.rounds, chosen.frames)
    print(f"load {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
