"""Figure one: both stages on one 1080p frame with three vehicles, engines through ours against `.pt`, in one run.

    python -m tests.gpu.figure_one pt.json out.json

Prints the table and writes it as JSON. Milliseconds are medians, our rows measured in turn in one process; the engines'
own time is between two events around `execute_async_v3` alone, the upload's between two around one copy of the frame
from pinned memory.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from platefleet.models.backends.tensorrt import TensorrtDetector
from platefleet.models.cuda.context import Gpu
from platefleet.models.detections import Detections, Frame, Region
from platefleet.models.merge import plates_of, regions_of, vehicles_of
from platefleet.models.tensorrt_release import tensorrt
from tests.gpu.engines import photos_folder, plate, vehicle
from tests.gpu.scene import scene

WARM, TIMED = 100, 500
LEAST_SPEEDUP, MOST_OVERHEAD = 4.5, 1.25


def both_stages(
    vehicles: TensorrtDetector, plates: TensorrtDetector, frame: Frame
) -> tuple[Detections, list[Detections]]:
    """Look as `Pipeline` does, without its reader."""
    with vehicles.holding(frame), plates.holding(frame):
        found = vehicles_of(vehicles.detect(frame, [Region.whole(frame)])[0], vehicles.classes)
        parts = plates.detect(frame, regions_of(found, frame, Region.whole(frame)))
        plates_of(parts)
        return found, parts


def by_turns(works: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Return the milliseconds that each work says it took, run in turn: what else the host does hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(WARM + TIMED):
        for name, work in works.items():
            ms = work()
            if number >= WARM:
                taken[name].append(ms)
    return taken


def by_the_clock(work: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        began = time.perf_counter()
        work()
        return (time.perf_counter() - began) * 1000

    return run


def by_events(gpu: Gpu, work: Callable[[], object]) -> Callable[[], float]:
    """Return the GPU's milliseconds of a work, from an idle stream."""
    with gpu.active():
        start, end = gpu.driver.Event(), gpu.driver.Event()

    def run() -> float:
        with gpu.active():
            start.record(gpu.stream)
            work()
            end.record(gpu.stream)
            end.synchronize()
            return float(end.time_since(start))

    return run


def longest_pause(work: Callable[[], object]) -> tuple[float, float]:
    """Return how long `work` took and the longest that another thread of Python stood still meanwhile, in ms."""
    over, gaps = threading.Event(), [0.0]

    def tick() -> None:
        last = time.perf_counter()
        while not over.is_set():
            time.sleep(0.0005)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    thread = threading.Thread(target=tick)
    thread.start()
    began = time.perf_counter()
    work()
    took = time.perf_counter() - began
    over.set()
    thread.join()
    return took * 1000, max(gaps) * 1000


def iou(a: Any, b: Any) -> float:
    width, height = np.minimum(a[2:4], b[2:4]) - np.maximum(a[:2], b[:2])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return float(shared / (sum(areas) - shared))


def percentiles(taken: list[float]) -> dict[str, float]:
    return {name: round(float(np.percentile(taken, at)), 4) for name, at in (("p50", 50), ("p90", 90), ("p99", 99))}


def main(baseline: str, out: str) -> None:
    pt = json.loads(Path(baseline).read_text())
    frame = scene(photos_folder())
    with Gpu() as gpu:
        opened: list[TensorrtDetector] = []
        load_ms, pause_ms = longest_pause(lambda: opened.extend((vehicle(gpu=gpu), plate(gpu=gpu))))
        vehicles, plates = opened
        found, parts = both_stages(vehicles, plates, frame)
        pinned = gpu.pinned_frame(*frame.shape[:2])
        pinned[:] = frame
        with gpu.active():
            room = gpu.frame_address(pinned)
        rows = by_turns(
            {
                "ours, frame in pinned memory": by_the_clock(lambda: both_stages(vehicles, plates, pinned)),
                "engine, vehicle, batch 1": by_events(gpu, lambda: vehicles._plan.enqueue(1)),
                "engine, plate, batch 3": by_events(gpu, lambda: plates._plan.enqueue(len(parts))),
                "one pinned upload": by_events(gpu, lambda: gpu.driver.memcpy_htod_async(room, pinned, gpu.stream)),
                "ours, frame anywhere": by_the_clock(lambda: both_stages(vehicles, plates, frame)),
                "stage one": by_the_clock(lambda: vehicles.detect(pinned, [Region.whole(frame)])),
            }
        )
        rows[".pt through ultralytics"] = pt["ms"]
        name, ran = gpu.name, str(tensorrt().__version__)
    p50 = {row: float(np.percentile(taken, 50)) for row, taken in rows.items()}
    floor = p50["one pinned upload"] + p50["engine, vehicle, batch 1"] + p50["engine, plate, batch 3"]
    ours = p50["ours, frame in pinned memory"]
    said = {
        "gpu": name,
        "tensorrt": ran,
        "torch": pt["torch"],
        "ultralytics": pt["ultralytics"],
        "frame": "1920x1080",
        "vehicles": len(found),
        "plates": [len(part) for part in parts],
        "pt_vehicles": len(pt["vehicles"]),
        "pt_plates": [len(each) for each in pt["plates"]],
        "vehicle_iou_with_pt": [
            round(max(iou(box, np.array(other)) for other in pt["vehicles"]), 4) for box in found.boxes
        ],
        "ms": {row: percentiles(taken) for row, taken in rows.items()},
        "floor_ms": round(floor, 4),
        "speedup": round(p50[".pt through ultralytics"] / ours, 2),
        "speedup_frame_anywhere": round(p50[".pt through ultralytics"] / p50["ours, frame anywhere"], 2),
        "overhead": round(ours / floor, 3),
        "overhead_frame_anywhere": round(p50["ours, frame anywhere"] / floor, 3),
        "opening_both_ms": round(load_ms, 1),
        "longest_pause_of_another_thread_ms": round(pause_ms, 1),
    }
    Path(out).write_text(json.dumps(said, indent=1))
    print(json.dumps(said, indent=1))
    print(
        f"speedup {said['speedup']} (at least {LEAST_SPEEDUP}), overhead {said['overhead']} (at most {MOST_OVERHEAD})"
    )


if __name__ == "__main__":
    main(*sys.argv[1:3])
