"""How well and how fast labelled photos are read: the figures beside those of other systems on the same photos.

A folder holds pictures and beside each `NAME.jpg` a `NAME.txt` of one line, `file x y width height text` (pixels,
top-left origin, separated by tabs or blanks). A box is located if it overlaps the truth (IoU) by 0.3 or by 0.5; a
photo is read if a box located at 0.3 says exactly the text. Time is the whole look at a photo against the vehicle
model's own forward pass on the same photo in the same run, so it says the same on a fast machine and a slow one.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from platefleet.models.backends.onnx import open_session
from platefleet.models.bench.confusion import Confusion, confusion
from platefleet.models.boxes import iou
from platefleet.models.detections import Frame, Region
from platefleet.models.errors import PictureError
from platefleet.models.formats import Format, find_format
from platefleet.models.letterbox import letterbox
from platefleet.models.pictures import PICTURE_SUFFIXES, read_picture
from platefleet.models.pipeline import VEHICLE_SIZE, Pipeline, open_pipeline
from platefleet.models.reading import Plate, Reading
from platefleet.models.weights import Materials, materials

THREADS = 2
REFERENCES: tuple[dict[str, Any], ...] = (
    {"system": "SimpleLPR 3.6.4 (commercial, 23 European templates)", "located 0.3": 108, "read with format": 81},
    {"system": "plate model on the whole photo @640, PP-OCR v4", "located 0.5": 83, "read": 55},
    {"system": "vehicles @640, plates @416, PP-OCR v4", "located 0.5": 90, "read": 60},
    {
        "system": "a trial: both merged and tuned, PP-OCRv6 small",
        "located 0.5": 108,
        "read with format": 96,
        "read, O=0 and I=1": 107,
    },
)
"""What other systems reached on the 108 European photos of openalpr/benchmarks (measured on a CPU, 2026-11-23)."""

_ALIKE = str.maketrans("OI", "01")


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """One photo with its one plate: box (4,) float32 x1 y1 x2 y2 in pixels."""

    path: Path
    box: NDArray[np.float32]
    text: str


@dataclass(slots=True)
class Figures:
    """What was counted over the photos, and milliseconds for each."""

    photos: int = 0
    located_03: int = 0
    located_05: int = 0
    read: int = 0
    read_alike: int = 0
    read_format: int = 0
    ms: list[float] = field(default_factory=list)
    forward_ms: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    readings: list[tuple[str, Reading]] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Time of a look in forward passes of the vehicle model: medians of the same run."""
        return statistics.median(self.ms) / statistics.median(self.forward_ms)

    @property
    def confusion(self) -> Confusion:
        """Which characters were taken for which, over the plates that were located."""
        return confusion(self.readings)


def rows(photos: Path | None = None, plate_format: str = "eu") -> list[dict[str, Any]]:
    """Measure a folder (None: PLATEFLEET_PHOTOS) with the pinned weights; this project's row first, then the others'.

    Raises PictureError for a folder without labelled photos, ModelError and WeightsError as the pipeline does.
    """
    figures = measure(photos, plate_format=plate_format)
    ours = {
        "system": "platefleet",
        "photos": figures.photos,
        "located 0.3": figures.located_03,
        "located 0.5": figures.located_05,
        "read": figures.read,
        "read, O=0 and I=1": figures.read_alike,
        "read with format": figures.read_format,
        "format": plate_format,
        "ms": round(statistics.median(figures.ms), 1),
        "forward ms": round(statistics.median(figures.forward_ms), 1),
        "ratio": round(figures.ratio, 2),
        "stages ms": {stage: round(statistics.median(ms), 1) for stage, ms in figures.stages.items()},
        "confusion": figures.confusion.as_json(),
    }
    return [ours, *({**reference} for reference in REFERENCES)]


def measure(photos: Path | None = None, weights: Materials | None = None, plate_format: str = "eu") -> Figures:
    """Look at each photo once with `THREADS` threads and count; see `rows`."""
    folder = photos or Path(os.environ.get("PLATEFLEET_PHOTOS", ""))
    labelled = list(labelled_photos(folder))
    if not labelled:
        raise PictureError(f"{folder}: holds no labelled photos; name a folder of them with PLATEFLEET_PHOTOS")
    chosen = find_format(plate_format)
    files = weights or materials(photos=False)
    pipeline = open_pipeline(files.vehicle, files.plate, files.reader, threads=THREADS)
    session = open_session(files.vehicle, THREADS)
    figures = Figures(photos=len(labelled))
    try:
        pipeline.look(read_picture(labelled[0].path))  # the first look reserves memory
        for photo in labelled:
            frame = read_picture(photo.path)
            figures.forward_ms.append(_forward_ms(session, frame))
            _count(figures, photo, pipeline, frame, chosen)
    finally:
        pipeline.close()
    return figures


def labelled_photos(folder: Path) -> Iterator[Labelled]:
    """Yield the photos of a folder that have a label, by name. Raises PictureError for a label that cannot be read."""
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        label = path.with_suffix(".txt")
        if path.suffix.lower() not in PICTURE_SUFFIXES or not label.is_file():
            continue
        words = label.read_text(encoding="utf-8").split()
        try:
            x, y, width, height = (float(word) for word in words[1:5])
            text = words[5]
        except (ValueError, IndexError) as error:
            raise PictureError(f"{label}: not `file x y width height text`; write it so") from error
        yield Labelled(path, np.array([x, y, x + width, y + height], np.float32), text)


def _forward_ms(session: Any, frame: Frame) -> float:
    """Return what the vehicle model alone takes for a frame, without its preparation and its boxes."""
    blob = letterbox(frame, [Region.whole(frame)], VEHICLE_SIZE)
    name = session.get_inputs()[0].name
    began = time.perf_counter()
    session.run(None, {name: blob})
    return (time.perf_counter() - began) * 1000


def _count(figures: Figures, photo: Labelled, pipeline: Pipeline, frame: Frame, chosen: Format) -> None:
    """Look at one photo and add it to the figures."""
    sighting = pipeline.look(frame)
    figures.ms.append(sighting.ms["total"])
    for stage, ms in sighting.ms.items():
        figures.stages.setdefault(stage, []).append(ms)
    located = _overlapping(sighting.plates, photo.box, 0.3)
    figures.located_03 += bool(located)
    figures.located_05 += bool(_overlapping(sighting.plates, photo.box, 0.5))
    readings = [plate.reading for plate in located]
    figures.read += any(reading.text == photo.text for reading in readings)
    figures.read_alike += any(reading.text.translate(_ALIKE) == photo.text.translate(_ALIKE) for reading in readings)
    figures.read_format += any(chosen.settle(reading).text == photo.text for reading in readings)
    if readings:
        figures.readings.append((photo.text, readings[0]))


def _overlapping(plates: Sequence[Plate], box: NDArray[np.float32], least: float) -> list[Plate]:
    return [plate for plate in plates if iou(plate.box[None], box[None])[0, 0] >= least]
