"""What was chosen by measurement: the plate stage's batch, and how a frame that lies anywhere goes up.

python -m tests.gpu.choices out.json
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from platefleet.models.backends.tensorrt import TensorrtDetector
from platefleet.models.cuda.context import Gpu
from platefleet.models.cuda.memory import DeviceBuffer, PinnedBuffer
from platefleet.models.detections import Frame, Region
from tests.gpu.engines import engine, photos_folder, plate
from tests.gpu.scene import scene

WARM, TIMED = 30, 200


def median_ms(work: Callable[[int], object]) -> float:
    taken = []
    for number in range(WARM + TIMED):
        began = time.perf_counter()
        work(number)
        taken.append(time.perf_counter() - began)
    return round(float(np.median(taken[WARM:])) * 1000, 4)


def batches(detector: TensorrtDetector, frame: Frame) -> dict[str, float]:
    """Return milliseconds of the plate stage for 1 to 8 regions."""
    regions = [Region(20 * k, 10 * k, 20 * k + 600, 10 * k + 450) for k in range(8)]
    with detector.holding(frame):
        return {str(n): median_ms(lambda _, n=n: detector.detect(frame, regions[:n])) for n in (1, 2, 3, 4, 5, 8)}  # type: ignore[misc]


def uploads(gpu: Gpu, frame: Frame) -> dict[str, float]:
    """Return milliseconds in which a frame from ordinary memory is on the GPU, by how it goes there."""
    frames = [frame.copy() for _ in range(4)]
    with gpu.active(), ThreadPoolExecutor(4) as pool:
        room = gpu.own(DeviceBuffer(gpu.driver, frame.nbytes))
        pinned = gpu.own(PinnedBuffer(gpu.driver, frame.nbytes)).bytes[: frame.nbytes].reshape(frame.shape)

        def copied(source: Frame, parts: int, threads: bool) -> None:
            edges = np.linspace(0, len(source), parts + 1).astype(int).tolist()
            pieces = [slice(first, last) for first, last in itertools.pairwise(edges)]
            jobs = [pool.submit(np.copyto, pinned[piece], source[piece]) for piece in pieces] if threads else []
            for number, piece in enumerate(pieces):
                if threads:
                    jobs[number].result()
                else:
                    np.copyto(pinned[piece], source[piece])
                at = room.address + piece.start * frame.strides[0]
                gpu.driver.memcpy_htod_async(at, pinned[piece], gpu.stream)
            gpu.synchronize()

        def direct(source: Frame) -> None:
            gpu.driver.memcpy_htod_async(room.address, source, gpu.stream)
            gpu.synchronize()

        return {
            "pinned already": median_ms(lambda _: direct(pinned)),
            "copied whole": median_ms(lambda n: copied(frames[n % 4], 1, threads=False)),
            "copied in 4 parts": median_ms(lambda n: copied(frames[n % 4], 4, threads=False)),
            "copied by 2 threads": median_ms(lambda n: copied(frames[n % 4], 2, threads=True)),
            "copied by 4 threads": median_ms(lambda n: copied(frames[n % 4], 4, threads=True)),
            "by the driver": median_ms(lambda n: direct(frames[n % 4])),
        }


def main(out: str) -> None:
    frame = scene(photos_folder())
    said: dict[str, dict[str, float]] = {}
    with Gpu() as gpu:
        for name in ("plate-fp16", "plate-fixed"):
            if engine(name).exists():
                detector = plate(name, gpu=gpu)
                said[name] = batches(detector, frame)
                detector.close()
        said["upload"] = uploads(gpu, frame)
    Path(out).write_text(json.dumps(said, indent=1))
    print(json.dumps(said, indent=1))


if __name__ == "__main__":
    main(sys.argv[1])
