"""Build one engine, and write beside it what the builder said.

python -m tests.gpu.build_engine vehicle-640.onnx vehicle-fp16.engine --size 640 --precision fp16 --level 1
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from platefleet.models.build.engine import CalibrationBuffer
from platefleet.models.build.log import BuilderLog
from platefleet.models.build.network import Calibration, EngineOptions, build_plan
from platefleet.models.cuda.context import Gpu
from platefleet.models.detections import Region
from platefleet.models.letterbox import letterbox

SOURCES = ("EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS")
"""The others need cuBLAS and cuDNN, which are stand-ins on the test machine."""


def pictures(folder: Path, size: int, count: int) -> Iterator[NDArray[np.float32]]:
    """Yield batches of `count` letterboxed photos."""
    batch = []
    for photo in sorted(folder.glob("*.png")):
        frame = np.asarray(cv2.imread(str(photo)), np.uint8)
        batch.append(letterbox(frame, [Region.whole(frame)], size)[0])
        if len(batch) == count:
            yield np.stack(batch)
            batch = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("onnx", type=Path)
    parser.add_argument("engine", type=Path)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--height", type=int, help="of a recogniser's lines; a detector's is its size")
    parser.add_argument("--precision", choices=["fp32", "fp16", "int8"], default="fp16")
    parser.add_argument("--level", type=int, default=0)
    parser.add_argument("--batch", type=int, default=1, help="0: any up to 8, best at 3")
    parser.add_argument("--fp32-layer", action="append", default=[])
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--workspace-mib", type=int)
    given = parser.parse_args()
    options = EngineOptions(
        given.precision,
        (3, given.height or given.size, given.size),
        batch=given.batch or None,
        level=given.level,
        tactic_sources=SOURCES,
        fp32_layers=tuple(given.fp32_layer),
        workspace_bytes=None if given.workspace_mib is None else given.workspace_mib << 20,
    )
    log = BuilderLog()
    with Gpu() as gpu, gpu.active():
        calibration = None
        if given.calibration is not None:
            count = given.batch or 3
            calibration = Calibration(pictures(given.calibration, given.size, count), count, CalibrationBuffer(gpu))
        began = time.monotonic()
        built = build_plan(given.onnx.read_bytes(), options, log, calibration)
    seconds = time.monotonic() - began
    given.engine.write_bytes(built.plan)
    said = {
        "engine": given.engine.name,
        "precision": given.precision,
        "level": given.level,
        "batches": options.batches,
        "seconds": round(seconds, 1),
        "bytes": len(built.plan),
        "sha256": hashlib.sha256(built.plan).hexdigest(),
        "layers": built.layers,
        "skipped_tactics": log.skipped_tactics,
        "fallbacks": log.fallbacks,
        "warnings": log.warnings,
        "errors": log.errors,
        "notes": built.notes,
        "lines": list(log.lines)[:12],
    }
    given.engine.with_suffix(".json").write_text(json.dumps(said, indent=1))
    print(json.dumps({key: value for key, value in said.items() if key != "lines"}), flush=True)


if __name__ == "__main__":
    main()
