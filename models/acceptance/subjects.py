"""How an artifact of each role looks at a frame: the same way as in the pipeline that will run it.

A vehicle model sees the frame; a plate model the vehicles in it and, where none surely carries a plate, the frame; a
reader the plates. What the earlier stages find is found once and shown to all that are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.acceptance.evaluate import Progress, Seen, Subject
from platefleet.models.acceptance.measured import LEAST_CONFIDENCE, Truths
from platefleet.models.artifacts.opening import Warm, open_artifact, open_reader, unwarmed
from platefleet.models.artifacts.passport import Passport, Role
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.artifacts.warm import warm as warm_in_child
from platefleet.models.detections import Boxes, Detections, Frame, Region
from platefleet.models.errors import ArtifactError
from platefleet.models.merge import vehicle_numbers, vehicles_of
from platefleet.models.pipeline import OVERLAP, PLATE_CONFIDENCE, VEHICLE_CONFIDENCE, find_plates
from platefleet.models.ports import Detector, Reader

Vehicles = Callable[[int, Frame], Detections]
"""Takes a frame's number and the frame; the vehicles that the stage before has found in it."""


@dataclass(frozen=True)
class Plates:
    """The plates that readers are shown: boxes (m, 4) float32 by the frame's number, and what is known of them."""

    boxes: dict[int, Boxes]
    truths: Truths


@contextmanager
def subject(
    store: ArtifactStore,
    passport: Passport,
    vehicles: Vehicles | None = None,
    plates: Plates | None = None,
    *,
    warm: Warm = warm_in_child,
) -> Iterator[Subject]:
    """Open an artifact to be measured, and close it afterwards; a detector keeps every box above LEAST_CONFIDENCE.

    vehicles: for a plate artifact, None where it sees whole frames only. plates: for a reader. Errors are those of
    `open_artifact` and `open_reader`.
    """
    if plates is not None:
        reader = open_reader(store, passport, warm=warm)
        try:
            yield Subject(passport.key, _reads(reader, plates))
        finally:
            reader.close()
        return
    detector = open_artifact(store, passport, confidence=LEAST_CONFIDENCE, iou=OVERLAP, warm=warm)
    try:
        yield Subject(passport.key, _finds(detector, passport.recipe.role, vehicles))
    finally:
        detector.close()


def _reads(reader: Reader, plates: Plates) -> Callable[[int, Frame], Seen]:
    def look(number: int, frame: Frame) -> Seen:
        return Seen(texts=tuple(each.reading.text for each in reader.read(frame, plates.boxes[number])))

    return look


def _finds(detector: Detector, role: Role, vehicles: Vehicles | None) -> Callable[[int, Frame], Seen]:
    def look(number: int, frame: Frame) -> Seen:
        whole = Region.whole(frame)
        if role == "vehicle":
            return Seen(_of_one_class(vehicles_of(detector.detect(frame, [whole])[0], detector.classes)))
        if vehicles is None:
            return Seen(detector.detect(frame, [whole])[0])
        return Seen(find_plates(detector, frame, vehicles(number, frame), whole))

    return look


def _of_one_class(found: Detections) -> Detections:
    """Return vehicles as the pipeline takes them: a car that is found as a truck is found."""
    return Detections(found.boxes, found.confidences, np.zeros(len(found), np.int32))


def truths_for(role: Role, dataset: Dataset, classes: Sequence[str]) -> Truths | None:
    """Return what is to be seen for a detector's role, None where nobody labelled: of vehicles each, whatever its kind.

    classes: the model's names. Raises ArtifactError for labels none of which the model could find.
    """
    truths = dataset.truths(classes)
    if truths is None:
        return None
    numbers = vehicle_numbers(classes) if role == "vehicle" else list(range(len(classes)))
    keep = np.isin(truths.classes, numbers)
    if not keep.any():
        raise ArtifactError(
            f"{dataset.paths[0].parent}: its labels name no {role} that the model knows ({', '.join(classes)[:80]})"
        )
    kinds = truths.classes[keep]
    texts = tuple(text for text, kept in zip(truths.texts, keep, strict=True) if kept)
    return Truths(truths.frames[keep], truths.boxes[keep], np.zeros_like(kinds) if role == "vehicle" else kinds, texts)


@contextmanager
def vehicles_in(store: ArtifactStore, dataset: Dataset, progress: Progress) -> Iterator[Vehicles | None]:
    """Give what finds the vehicles of each frame, found beforehand; None where the store has no vehicle artifact."""
    stage = stage_of(store, "vehicle")
    if stage is None:
        yield None
        return
    found: dict[int, Detections] = {}
    detector = open_artifact(store, stage, confidence=VEHICLE_CONFIDENCE, iou=OVERLAP, warm=unwarmed)
    try:
        for number, frame in enumerate(dataset.frames()):
            found[number] = vehicles_of(detector.detect(frame, [Region.whole(frame)])[0], detector.classes)
            progress(number + 1, len(dataset))
    finally:
        detector.close()
    yield lambda number, _: found[number]


def plates_in(store: ArtifactStore, dataset: Dataset, progress: Progress) -> Plates:
    """Return the plates of the frames: as they are labelled, else as the store's own plate artifact finds them.

    In a device's own frames beside labelled ones, they are found. Raises ArtifactError where neither tells any.
    """
    boxes: dict[int, Boxes] = {}
    texts: list[str] = []
    if dataset.labels is not None:
        boxes = {
            number: np.array([each.box for each in labels], np.float32).reshape(-1, 4)
            for number, labels in enumerate(dataset.labels)
            if labels
        }
        texts = [each.text for labels in dataset.labels for each in labels]
        if dataset.own_from is None:
            return _plates(boxes, texts)
    stage = stage_of(store, "plate")
    if stage is None:
        raise ArtifactError(
            "reader: nobody labelled the plates and the store holds no plate artifact that finds them; build one"
        )
    first = 0 if dataset.labels is None else dataset.own_from or 0
    detector = open_artifact(store, stage, confidence=PLATE_CONFIDENCE, iou=OVERLAP, warm=unwarmed)
    try:
        for number, frame in enumerate(dataset.frames()):
            if number < first:
                continue
            here = find_plates(detector, frame, Detections.empty(), Region.whole(frame))
            if len(here):
                boxes[number] = here.boxes
                texts += [""] * len(here)
            progress(number + 1, len(dataset))
    finally:
        detector.close()
    if not boxes:
        raise ArtifactError("reader: no plate is seen in any of the frames; evaluate on others")
    return _plates(boxes, texts)


def stage_of(store: ArtifactStore, role: Role) -> Passport | None:
    """Return the artifact that stands for a stage: the active one, else the newest baseline, else None."""
    active = store.active(role)
    if active is not None:
        return store.passport(role, active.key)
    baselines = [each for each in store.passports(role) if each.verdict.judged == "baseline"]
    return baselines[-1] if baselines else None


def _plates(boxes: dict[int, Boxes], texts: Sequence[str]) -> Plates:
    frames = np.array([number for number, here in boxes.items() for _ in here], np.int32)
    every = np.concatenate(list(boxes.values())) if boxes else np.zeros((0, 4), np.float32)
    return Plates(boxes, Truths(frames, every, np.zeros(len(frames), np.int32), tuple(texts), labelled=any(texts)))
