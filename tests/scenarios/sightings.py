"""What the real models see on each barrier photo, computed once and kept in the cache by what it depends on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from platefleet.models.detections import Frame
from platefleet.models.fetching import cache_folder
from platefleet.models.pipeline import Pipeline, open_pipeline
from platefleet.models.reading import Character, Reading
from platefleet.models.weights import Materials

MODELS = Path(__file__).resolve().parents[2] / "models"
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class PhotoPlate:
    """The plate of a photo: boxes in the photo's pixels, confidence, reading, index of its vehicle."""

    box: Box
    detected: Box
    confidence: float
    reading: Reading
    vehicle: int | None


@dataclass(frozen=True)
class PhotoSeen:
    """All that the models see on a photo."""

    plates: tuple[PhotoPlate, ...]
    vehicles: tuple[tuple[str, float, Box], ...]


def photo_sightings(materials: Materials) -> dict[str, PhotoSeen]:
    """Return what is seen by photo. The cache's key covers weights, photos, and the source of `models/`."""
    files = [materials.vehicle, materials.plate, materials.reader, *materials.photos, *sorted(MODELS.rglob("*.py"))]
    key = hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)).hexdigest()[:24]
    kept = cache_folder() / "derived" / f"sightings-{key}.json"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        pipeline = open_pipeline(materials.vehicle, materials.plate, materials.reader)
        try:
            found = {path.stem: _look(pipeline, path) for path in materials.photos}
        finally:
            pipeline.close()
        part = kept.with_suffix(".part")
        part.write_text(json.dumps(found), encoding="utf-8")
        part.replace(kept)
    return {name: _seen(raw) for name, raw in json.loads(kept.read_text(encoding="utf-8")).items()}


def _look(pipeline: Pipeline, path: Path) -> dict[str, Any]:
    frame: Frame = np.asarray(cv2.imread(str(path)), np.uint8)
    sighting = pipeline.look(frame)
    return {
        "plates": [
            {
                "box": plate.box.tolist(),
                "detected": plate.detected.tolist(),
                "confidence": plate.confidence,
                "characters": [[c.text, c.confidence, list(c.alternatives)] for c in plate.reading.characters],
                "vehicle": plate.vehicle,
            }
            for plate in sighting.plates
        ],
        "vehicles": [
            [pipeline.vehicle_classes[int(number)], float(confidence), box.tolist()]
            for number, confidence, box in zip(
                sighting.vehicles.classes, sighting.vehicles.confidences, sighting.vehicles.boxes, strict=True
            )
        ],
    }


def _box(values: list[float]) -> Box:
    x1, y1, x2, y2 = (float(value) for value in values)
    return x1, y1, x2, y2


def _seen(raw: dict[str, Any]) -> PhotoSeen:
    return PhotoSeen(
        tuple(
            PhotoPlate(
                _box(plate["box"]),
                _box(plate["detected"]),
                plate["confidence"],
                Reading(
                    tuple(
                        Character(text, confidence, tuple((t, c) for t, c in others))
                        for text, confidence, others in plate["characters"]
                    )
                ),
                plate["vehicle"],
            )
            for plate in raw["plates"]
        ),
        tuple((name, confidence, _box(box)) for name, confidence, box in raw["vehicles"]),
    )


def transcribed(plates: dict[str, str], corners: dict[str, Box]) -> dict[str, PhotoSeen]:
    """Return sightings as a perfect reader would have them, for tests that have no models."""
    return {
        name: PhotoSeen(
            (PhotoPlate(corners[name], corners[name], 0.8, Reading(tuple(Character(c, 0.99) for c in text)), None),), ()
        )
        for name, text in plates.items()
    }
