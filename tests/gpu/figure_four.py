"""Figure four: a card's memory really exhausted. A build is deferred, the barrier goes on, and a retry succeeds.

    python -m tests.gpu.figure_four MODELS OUT [FPS]

Another process takes the card's memory but for a little, while the two stages run here. A build then gets half its
workspace, and is deferred with the reason; once the memory is given back the same build is done.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from platefleet.models.artifacts.machine import machine
from platefleet.models.build.child import Bounds
from platefleet.models.build.free_memory import free_bytes
from platefleet.models.build.run import Order, build
from platefleet.models.errors import BuildDeferred
from platefleet.protocol.errors import ModelError
from tests.gpu.barrier import Barrier, saved
from tests.gpu.engine_store import Site

STEADY_S = 5.0
LEFT_MIB = (128, 640, 900)
"""What is left of the card: too little for a process's context; for a builder, or nearly so."""
TAKER = """
import sys
import pycuda.driver as cuda
cuda.init()
context = cuda.Device(0).retain_primary_context()
context.push()
left, held, step = int(sys.argv[1]) << 20, [], 1 << 33
while step >= 1 << 21:
    free, total = cuda.mem_get_info()
    if free - step < left:
        step //= 2
        continue
    try:
        held.append(cuda.mem_alloc(step))
    except cuda.MemoryError:
        step //= 2
print(cuda.mem_get_info()[0] >> 20, total >> 20, flush=True)
sys.stdin.read()
"""


@contextmanager
def taken(left_mib: int) -> Iterator[str]:
    """Hold the card's memory but for `left_mib`, from a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", TAKER, str(left_mib)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as taker:
        assert taker.stdin is not None
        assert taker.stdout is not None
        try:
            yield taker.stdout.readline().strip()
        finally:
            taker.stdin.close()
            taker.wait(60)


def attempt(site: Site, barrier: Barrier) -> dict[str, Any]:
    """Try the build once, and tell what came of it and what the barrier did meanwhile."""
    steps: list[str] = []
    order = Order(site.recipe("plate-fp16", batch=4), bounds=Bounds(deadline_s=300))
    before, began = free_bytes() >> 20, time.monotonic()
    try:
        passport = build(site.store, order, machine=machine(), tell=lambda step, _: steps.append(step))
        came = f"built: {passport.title}"
    except BuildDeferred as error:
        came = f"deferred: {error}"
    except ModelError as error:
        came = f"failed ({type(error).__name__}): {error}"
    ended = time.monotonic()
    return {
        "free_mib": before,
        "seconds": round(ended - began, 1),
        "came": came,
        "steps": steps,
        "barrier": barrier.rate(began, ended),
    }


def main(models: str, out: str, fps: str = "0") -> int:
    site = Site.at(Path(models))
    said: dict[str, Any] = {"camera_fps": float(fps) or "as often as it can", "exhausted": []}
    passports = site.store.passports("plate")
    with Barrier(float(fps)) as barrier:
        began = time.monotonic()
        time.sleep(STEADY_S)
        said["before"] = barrier.rate(began, time.monotonic())
        for left in LEFT_MIB:
            with taken(left) as told:
                tried = {"left_mib": left, "the_taker_sees_free_and_total_mib": told, **attempt(site, barrier)}
            said["exhausted"].append(tried)
            print(json.dumps(tried), flush=True)
            if tried["came"].startswith("built"):
                break
        untouched = site.store.passports("plate") == passports
        said["retry"] = attempt(site, barrier)
        made = site.made(site.recipe("plate-fp16", batch=4))
        if made is not None:  # which the tests of a fixed batch run on
            shutil.copyfile(site.store.model(made), site.models / "plate-fixed.engine")
        said["error"] = str(barrier.error or "")
    said["store_untouched_while_deferred"] = untouched
    saved(Path(out, "figure_four.json"), json.dumps(said, indent=1))
    first = said["exhausted"][0]["came"]
    fine = first.startswith("deferred") and said["retry"]["came"].startswith("built") and not said["error"]
    return int(not fine)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
