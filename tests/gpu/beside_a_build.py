"""What frame rate the barrier keeps while an engine is built in a child of the lowest priority.

    python -m tests.gpu.beside_a_build MODELS OUT NAME FPS      FPS: of the camera; 0: as often as the models can

The engine is built into the same store as `figure_two`'s, and is not built again there: its time is one with a barrier
at work beside it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tests.gpu.barrier import Barrier, saved
from tests.gpu.engine_store import Site, aloud

STEADY_S = 6.0
LEAST_SHARE = 0.8


def main(models: str, out: str, name: str, fps: str) -> int:
    site = Site.at(Path(models))
    if site.made(site.recipe(name)) is not None:
        print(f"{name}: is built already; beside what should the barrier run?")
        return 1
    with Barrier(float(fps)) as barrier:
        began = time.monotonic()
        time.sleep(STEADY_S)
        building = time.monotonic()
        passport = site.built(name, tell=aloud(name))
        built = time.monotonic()
        time.sleep(STEADY_S)
        ended = time.monotonic()
        said = {
            "engine": name,
            "camera_fps": float(fps) or "as often as it can",
            "build_s": None if passport.built is None else round(passport.built.seconds, 1),
            "before": barrier.rate(began, building),
            "during": barrier.rate(building, built),
            "after": barrier.rate(built, ended),
            "error": str(barrier.error or ""),
        }
    normal = (said["before"]["per_s"] + said["after"]["per_s"]) / 2  # type: ignore[index]
    said["share"] = round(said["during"]["per_s"] / normal, 3)  # type: ignore[index]
    said["share_worst_second"] = round(said["during"]["worst_second"] / normal, 3)  # type: ignore[index]
    saved(Path(out, f"beside_{name}_{fps}.json"), json.dumps(said, indent=1))
    return int(barrier.error is not None or said["share"] < LEAST_SHARE)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
