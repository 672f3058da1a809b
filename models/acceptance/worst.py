"""What a candidate loses, and what it hardly finds, as pictures: the worst disagreements and the edge cases."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.acceptance.measured import Measured, Truths
from platefleet.models.acceptance.pair import Pair
from platefleet.models.acceptance.verdict import Comparison
from platefleet.models.annotate import boxed
from platefleet.models.detections import Boxes
from platefleet.models.errors import ArtifactError
from platefleet.models.pictures import read_picture

MOST = 20
"""Pictures of each kind."""
EDGE = 0.1
"""How near to the threshold a confidence is to be an edge case."""
WANTED, FOUND = (60, 220, 60), (60, 160, 255)


def write_worst(folder: Path, dataset: Dataset, pair: Pair, seen: Comparison) -> list[Path]:
    """Write `lost-…` for what was lost, the surest first, and `edge-…` for what was found by a hair; return the paths.

    What was to be seen is green, what the candidate found orange, with confidences or texts. Raises ArtifactError if
    the folder cannot be written, PictureError.
    """
    before, now, wanted = pair.before, pair.now, pair.wanted
    written: list[Path] = []
    at_once = seen.threshold or pair.threshold
    lost = list(dict.fromkeys(int(wanted.frames[at]) for at in seen.worst))[:MOST]
    for name, frames in (("lost", lost), ("edge", _edges(now, at_once))):
        for rank, number in enumerate(frames, 1):
            path = dataset.paths[number]
            target = folder / f"{name}-{rank:03d}-{path.stem}.jpg"
            picture = boxed(read_picture(path), *_boxes(wanted, before.texts, number), WANTED)
            if now.texts:
                picture = boxed(picture, *_boxes(wanted, now.texts, number, below=True), FOUND)
            else:
                here = now.found.where((now.frames == number) & (now.found.confidences >= at_once - EDGE))
                picture = boxed(picture, here.boxes, [f"{each:.2f}" for each in here.confidences], FOUND)
            _, encoded = cv2.imencode(".jpg", picture)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                target.write_bytes(encoded.tobytes())
            except OSError as error:
                raise ArtifactError(f"{folder}: cannot be written ({error.strerror}); name another folder") from error
            written.append(target)
    return written


def _edges(now: Measured, threshold: float) -> list[int]:
    """Return the frames with boxes whose confidence is nearest to the threshold, each once."""
    off = np.abs(now.found.confidences - np.float32(threshold))
    order = [int(at) for at in np.argsort(off, kind="stable") if off[at] <= EDGE]
    return list(dict.fromkeys(int(now.frames[at]) for at in order))[:MOST]


def _boxes(truths: Truths, texts: tuple[str, ...], number: int, *, below: bool = False) -> tuple[Boxes, list[str]]:
    """Return boxes and captions of one frame; below: moved down by their height, so that two texts stand apart."""
    rows = np.flatnonzero(truths.frames == number)
    boxes = truths.boxes[rows].copy()
    if below:
        boxes[:, [1, 3]] += (boxes[:, 3] - boxes[:, 1])[:, None]
    return boxes, [texts[row] if texts else "" for row in rows]
