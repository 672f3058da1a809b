"""The baseline of figure one: both stages from `.pt` through ultralytics, one `predict` for each. Run with torch.

python -m tests.gpu.figure_one_pt vehicle.pt plate.pt out.json
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import ultralytics
from ultralytics import YOLO

from tests.gpu.scene import scene

WARM, TIMED = 30, 200
VEHICLES = (2, 3, 5, 7)


def boxes_of(result: Any) -> list[list[float]]:
    """Return box and confidence of each detection, on the CPU."""
    data: list[list[float]] = result.boxes.data.cpu().numpy()[:, :5].tolist()
    return data


def main(vehicle: str, plate: str, photos: str, out: str) -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    frame = scene(Path(photos))
    first, second = YOLO(vehicle, task="detect"), YOLO(plate, task="detect")
    how: dict[str, Any] = {"conf": 0.25, "iou": 0.7, "device": 0, "verbose": False}

    def look() -> tuple[list[list[float]], list[list[list[float]]], float]:
        found = boxes_of(first.predict(frame, imgsz=640, classes=list(VEHICLES), **how)[0])
        between = time.perf_counter()
        crops = [frame[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] for x1, y1, x2, y2, _ in found]
        plates = [boxes_of(result) for result in second.predict(crops, imgsz=416, **how)] if crops else []
        return found, plates, between

    for _ in range(WARM):
        look()
    total, stage = [], []
    for _ in range(TIMED):
        torch.cuda.synchronize()
        began = time.perf_counter()
        found, plates, between = look()
        ended = time.perf_counter()
        total.append((ended - began) * 1000)
        stage.append((between - began) * 1000)
    said = {
        "ms": total,
        "vehicle_ms": stage,
        "vehicles": found,
        "plates": plates,
        "torch": torch.__version__,
        "ultralytics": ultralytics.__version__,
        "gpu": torch.cuda.get_device_name(0),
    }
    Path(out).write_text(json.dumps(said))
    print("pt", np.percentile(total, [50, 90, 99]).round(3), len(found), [len(each) for each in plates])


if __name__ == "__main__":
    main(*sys.argv[1:5])
