"""Two-stage detection and reading of one frame: vehicles, plates in them, characters."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from platefleet.models.backends import open_detector
from platefleet.models.detections import Detections, Frame, Region
from platefleet.models.formats import Format
from platefleet.models.letterbox import within
from platefleet.models.merge import in_region, plates_of, regions_of, vehicle_of, vehicles_of
from platefleet.models.ports import Detector, HoldsFrames, Reader
from platefleet.models.reading import Plate, Sighting
from platefleet.models.rectify import bounds

VEHICLE_SIZE, PLATE_SIZE = 640, 416
"""Sides of the squares that the stages see, in pixels."""
VEHICLE_CONFIDENCE, PLATE_CONFIDENCE = 0.25, 0.25
"""The least a box needs (ultralytics' default for prediction)."""
OVERLAP = 0.7
"""The most that two boxes of a class may overlap (ultralytics' default for prediction)."""
SURE = 0.5
"""A vehicle carries a plate if one is found in it with this confidence; the frame is looked at as well otherwise."""


class Pipeline:
    """Finds and reads the plates of frames. Owns its parts: `close` closes them. For one thread at a time."""

    def __init__(
        self,
        vehicle: Detector,
        plate: Detector,
        reader: Reader,
        *,
        plate_format: Format | None = None,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        """plate_format: settles O or 0 in what was read. seconds: the stopwatch for `Sighting.ms`."""
        self._vehicle, self._plate, self._reader = vehicle, plate, reader
        self._holders = [stage for stage in (vehicle, plate) if isinstance(stage, HoldsFrames)]
        self._format = plate_format
        self._seconds = seconds

    @property
    def vehicle_classes(self) -> tuple[str, ...]:
        """Names of the vehicle model's classes; `Sighting.vehicles.classes` indexes it."""
        return self._vehicle.classes

    def look(self, frame: Frame, region: Region | None = None) -> Sighting:
        """Return what is in a frame; a frame without a pixel holds nothing.

        region: the lane's part of the frame; vehicles are looked for everywhere, plates in those that reach into it
        and, when none of them surely carries one, in all of it. Raises ModelError if a backend fails.
        """
        began = self._seconds()
        with contextlib.ExitStack() as held:
            for stage in self._holders:
                held.enter_context(stage.holding(frame))
            return self._look(frame, region, began)

    def _look(self, frame: Frame, region: Region | None, began: float) -> Sighting:
        lane = within(Region.whole(frame) if region is None else region, frame)
        vehicles = Detections.empty()
        if frame.size:
            vehicles = vehicles_of(self._vehicle.detect(frame, [Region.whole(frame)])[0], self._vehicle.classes)
        after_vehicles = self._seconds()
        found = self._plates(frame, vehicles, lane)
        after_plates = self._seconds()
        texts = self._reader.read(frame, found.boxes) if len(found) else []
        plates = []
        for box, confidence, text in zip(found.boxes, found.confidences, texts, strict=True):
            reading = self._format.settle(text.reading) if self._format else text.reading
            bound = vehicle_of(box, vehicles.boxes)
            plates.append(Plate(bounds(text.corners, frame), box, text.corners, float(confidence), reading, bound))
        ended = self._seconds()
        ms = {
            "vehicle": (after_vehicles - began) * 1000,
            "plate": (after_plates - after_vehicles) * 1000,
            "read": (ended - after_plates) * 1000,
            "total": (ended - began) * 1000,
        }
        return Sighting(vehicles, tuple(plates), ms)

    def close(self) -> None:
        """Close the detectors and the reader; safe to call twice."""
        self._vehicle.close()
        self._plate.close()
        self._reader.close()

    def _plates(self, frame: Frame, vehicles: Detections, lane: Region) -> Detections:
        return find_plates(self._plate, frame, vehicles, lane)


def find_plates(plate: Detector, frame: Frame, vehicles: Detections, lane: Region) -> Detections:
    """Return the plates of the lane, best first: in its vehicles, and in the lane itself unless one surely has one."""
    if not all(lane.shape):
        return Detections.empty()
    regions = regions_of(vehicles, frame, lane)
    parts = plate.detect(frame, regions) if regions else []
    if not any((part.confidences >= SURE).any() for part in parts):
        parts = [*parts, *plate.detect(frame, [lane])]
    return in_region(plates_of(parts), lane)


def open_pipeline(
    vehicle: Path, plate: Path, reader: Path, *, plate_format: Format | None = None, threads: int | None = None
) -> Pipeline:
    """Open the weights of the three roles as a pipeline.

    vehicle, plate: see `open_detector`; reader: a PP-OCR recogniser, ONNX. threads: of each on the CPU (None: the cores
    this process may use). Raises MissingExtra without ONNX Runtime, WeightsError for weights that cannot be used.
    """
    from platefleet.models.reader import OnnxReader  # noqa: PLC0415 - an extra, loaded when used

    return Pipeline(
        open_detector(vehicle, VEHICLE_SIZE, VEHICLE_CONFIDENCE, OVERLAP, threads=threads),
        open_detector(plate, PLATE_SIZE, PLATE_CONFIDENCE, OVERLAP, threads=threads),
        OnnxReader(reader, threads=threads),
        plate_format=plate_format,
    )
