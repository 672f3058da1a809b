"""What both detectors find from `.pt` in the frames of figure two, kept to be compared with. Run with torch.

python -m tests.gpu.figure_two_pt MODELS OUT
"""

from __future__ import annotations

import sys
from pathlib import Path

from platefleet.models.acceptance.dataset import load_dataset
from platefleet.models.acceptance.evaluate import Subject, together
from platefleet.models.acceptance.measured import LEAST_CONFIDENCE
from platefleet.models.acceptance.subjects import _finds
from platefleet.models.backends.pt import TorchDetector
from platefleet.models.detections import Region
from platefleet.models.fetching import digest_of
from platefleet.models.merge import vehicles_of
from platefleet.models.pipeline import OVERLAP, VEHICLE_CONFIDENCE


def opened(path: Path, size: int, confidence: float) -> TorchDetector:
    return TorchDetector(path, size, confidence, OVERLAP, sha256=digest_of(path))


def main(models: Path, out: Path) -> None:
    import torch  # noqa: PLC0415 - after `quiet_torch` has its say

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    finder = opened(models / "vehicle.pt", 640, VEHICLE_CONFIDENCE)
    labelled, frames = load_dataset(models / "labelled"), load_dataset(models / "frames")
    found = [vehicles_of(finder.detect(frame, [Region.whole(frame)])[0], finder.classes) for frame in labelled.frames()]
    detectors = {
        "vehicle": (opened(models / "vehicle.pt", 640, LEAST_CONFIDENCE), frames, None),
        "plate": (opened(models / "plate.pt", 416, LEAST_CONFIDENCE), labelled, lambda number, _: found[number]),
    }
    for role, (detector, dataset, vehicles) in detectors.items():
        subject = Subject("pt", _finds(detector, role, vehicles))  # type: ignore[arg-type]  # a role's name
        (measured,) = together([subject], dataset)
        (out / f"{role}-pt.npz").write_bytes(measured.save())
        print(f"{role}.pt: {measured.count} frames, median {measured.median_ms:.2f} ms, torch {torch.__version__}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
