"""Figure six on the GPU: a plate engine comes to serve under load. What is lost, and how long the longest pause is.

    python -m tests.gpu.figure_six MODELS OUT [FPS]

An agent with its store runs on 1080p frames in real time, its vehicle stage from an engine. The plate stage goes from
ONNX (on the CPU) to an FP16 engine, and from that to another engine. An engine is opened by the models' thread.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from platefleet.models.artifacts.activation import activated
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.passport import Passport, Recipe, Role
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.build.run import Order, build
from tests.gpu.barrier import saved
from tests.gpu.engine_store import Site
from tests.gpu.engines import photos_folder
from tests.gpu.scene import scene
from tests.switching_figures import Swapped, swapped

STEADY_S = 8.0
VISIT, EMPTY = 8, 12
"""Frames with three cars, and frames without any."""


def lane(folder: Path) -> Path:
    """Write the frames that are looped."""
    folder.mkdir(exist_ok=True)
    full = scene(photos_folder())
    for number in range(VISIT + EMPTY):
        cv2.imwrite(str(folder / f"{number:03}.jpg"), full if number < VISIT else np.full_like(full, 114))
    return folder


def chosen(store: ArtifactStore, role: Role, passport: Passport) -> None:
    """Let it serve, confirmed, whatever served before."""
    (store.root / role / "active.json").unlink(missing_ok=True)
    if passport.verdict.judged == "unmeasured":  # speed and pauses are looked at here, whatever it finds
        verdict = passport.verdict.model_copy(update={"judged": "undecided"})
        passport = store.update(role, passport.key, lambda each: each.model_copy(update={"verdict": verdict}))
    store.choose(role, lambda now: activated(now, passport, undecided_named=True))


def main(models: str, out: str, fps: str = "25") -> None:
    site = Site.at(Path(models))
    store, folder = site.store, lane(Path(out, "lane"))
    source = site.recipe("plate-fp16").source
    onnx = build(
        store,
        Order(Recipe(role="plate", source=source, format="onnx", precision="fp32", size=416, batch=None)),
        machine=machine(),
    )
    first = site.built("plate-fp16")
    second = site.made(site.recipe("plate-fp16", batch=4))
    if second is None:
        second = build(store, Order(site.recipe("plate-fp16", batch=4)), machine=machine())
    chosen(store, "vehicle", site.built("vehicle-fp16"))
    lines = []
    for what, before, after in (("onnx to FP16 engine", onnx, first), ("engine to engine", second, first)):
        chosen(store, "plate", after)  # so that both may serve
        chosen(store, "plate", before)
        came: Swapped = swapped(store, after, folder, float(fps), steady_s=STEADY_S)
        lines += [f"{what}, {fps} frames a second:", *(f"  {line}" for line in came.lines())]
        print("\n".join(lines), flush=True)
    saved(Path(out, "figure_six.txt"), "\n".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
