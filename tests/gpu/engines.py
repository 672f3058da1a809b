"""The engines that the tests of this folder run: files of `PLATEFLEET_ENGINES`, made by `run.sh` or carried along."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import cv2
import numpy as np

from platefleet.models.backends.tensorrt import TensorrtDetector
from platefleet.models.cuda.context import Gpu
from platefleet.models.detections import Frame

COCO = Path(__file__).parent / "coco_names.txt"
VEHICLE_NAMES = tuple(COCO.read_text().split("\n")[:80])
PLATE_NAMES = ("license_plate",)


def folder() -> Path | None:
    """Return where the engines lie, or None where there are none."""
    named = os.environ.get("PLATEFLEET_ENGINES")
    return None if named is None else Path(named)


def engine(name: str) -> Path:
    """Return an engine's path."""
    where = folder()
    assert where is not None
    return where / f"{name}.engine"


def photos_folder() -> Path:
    """Return where the barrier photos lie: `PLATEFLEET_BARRIER_PHOTOS`, or the user's cache."""
    return Path(os.environ.get("PLATEFLEET_BARRIER_PHOTOS", Path.home() / ".cache" / "platefleet" / "photos"))


def photos() -> list[Frame]:
    """Return the barrier photos."""
    return [np.asarray(cv2.imread(str(path)), np.uint8) for path in sorted(photos_folder().glob("*.png"))]


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def vehicle(name: str = "vehicle-fp16", confidence: float = 0.25, gpu: Gpu | None = None) -> TensorrtDetector:
    """Open a vehicle engine."""
    path = engine(name)
    return TensorrtDetector(path, 640, confidence, 0.7, sha256=digest_of(path), names=VEHICLE_NAMES, gpu=gpu)


def plate(name: str = "plate-fp16", confidence: float = 0.25, gpu: Gpu | None = None) -> TensorrtDetector:
    """Open a plate engine."""
    path = engine(name)
    return TensorrtDetector(path, 416, confidence, 0.7, sha256=digest_of(path), names=PLATE_NAMES, gpu=gpu)
