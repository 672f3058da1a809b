"""Frames with what is to be seen in them: folders labelled as YOLO or COCO have it, or as this project's photos.

    pictures beside NAME.txt          YOLO: `class cx cy w h` in shares of the picture, one line a box; an empty file is
                                      a picture without any; `class x y x y …` (corners) gives their bounds.
                                      Or one line `file x y width height text` in pixels.
    pictures and one *.json           COCO: images, annotations with `bbox` x y width height; categories by name.
    pictures alone                    nobody labelled them: they are judged by agreement with the baseline.

In a folder laid out as YOLO's `images/` and `labels/` the labels are found beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from platefleet.models.acceptance.measured import Truths
from platefleet.models.detections import Frame
from platefleet.models.errors import ArtifactError, PictureError
from platefleet.models.pictures import PICTURE_SUFFIXES, read_picture, size_in_header

FRAMES_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Label:
    """One thing to be seen: x1 y1 x2 y2 in pixels, the class's number or name, a plate's text where it is known."""

    box: tuple[float, float, float, float]
    kind: int | str = 0
    text: str = ""


@dataclass(frozen=True)
class Dataset:
    """Pictures in order, and each one's labels (None: nobody labelled this set). digest: of all of it.

    own_from: number of the first of a device's own frames, which nobody labelled although others are; None: no such.
    """

    paths: tuple[Path, ...]
    labels: tuple[tuple[Label, ...], ...] | None
    digest: str
    own_from: int | None = None
    _classes: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths)

    def frames(self) -> Iterator[Frame]:
        """Yield each picture, (height, width, 3) uint8 BGR. Raises PictureError."""
        for path in self.paths:
            yield read_picture(path)

    def truths(self, classes: Sequence[str]) -> Truths | None:
        """Return the labels by the class numbers of a model, or None where nobody labelled.

        Classes are told by number or by name; a name that the model has not is left out, since it cannot find it.
        """
        if self.labels is None:
            return None
        number = {name: at for at, name in enumerate(classes)}
        rows = [
            (frame, label.box, label.kind if isinstance(label.kind, int) else number[label.kind], label.text)
            for frame, labels in enumerate(self.labels)
            for label in labels
            if isinstance(label.kind, int) or label.kind in number
        ]
        return Truths(
            np.array([row[0] for row in rows], np.int32),
            np.array([row[1] for row in rows], np.float32).reshape(-1, 4),
            np.array([row[2] for row in rows], np.int32),
            tuple(row[3] for row in rows),
        )

    def shares_with(self, other: Dataset) -> int:
        """Return how many pictures are the same bytes in both."""
        return len(self.pictures() & other.pictures())

    def pictures(self) -> frozenset[str]:
        """Return the SHA-256 of every picture. Raises PictureError for one that is gone."""
        return frozenset(_digests(self.paths))


def load_dataset(folder: Path) -> Dataset:
    """Return the pictures of a folder with their labels. Raises ArtifactError naming the file that is wrong."""
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: no such folder; name one with pictures")
    paths = tuple(sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES))
    if not paths:
        raise ArtifactError(f"{folder}: holds no pictures; evaluation and calibration need some")
    if len(paths) > FRAMES_MOST:
        raise ArtifactError(f"{folder}: {len(paths)} pictures; at most {FRAMES_MOST} are looked at")
    coco = sorted(folder.glob("*.json"))
    if len(coco) > 1:
        raise ArtifactError(f"{folder}: {len(coco)} JSON files; keep the one with COCO's annotations")
    labels = _coco(coco[0], paths) if coco else _beside(paths)
    if labels is not None and not any(labels):
        raise ArtifactError(f"{folder}: labels that name nothing at all; do they belong to these pictures?")
    digest = hashlib.sha256()
    try:
        for path, found in zip(paths, labels or [()] * len(paths), strict=True):
            digest.update(hashlib.sha256(path.read_bytes()).digest() + repr(found).encode())
    except OSError as error:
        told = f"cannot be read ({error.strerror}); was it removed meanwhile?"
        raise ArtifactError(f"{error.filename}: {told}") from error
    return Dataset(paths, labels, digest.hexdigest())


def pooled(labelled: Dataset, own: Dataset) -> Dataset:
    """Return both sets as one: `own` frames are judged by agreement, whether or not the others have labels.

    Raises ArtifactError if they share pictures, or `own` has labels.
    """
    if own.labels is not None:
        raise ArtifactError(f"{own.paths[0].parent}: own frames with labels beside them; evaluate on them as --frames")
    if shared := labelled.shares_with(own):
        raise ArtifactError(f"{own.paths[0].parent}: {shared} of its pictures are among the others; they count once")
    labels = None if labelled.labels is None else (*labelled.labels, *(() for _ in own.paths))
    digest = hashlib.sha256(f"{labelled.digest}/{own.digest}".encode()).hexdigest()
    return Dataset((*labelled.paths, *own.paths), labels, digest, len(labelled))


def _beside(paths: Sequence[Path]) -> tuple[tuple[Label, ...], ...] | None:
    files = [_label_file(path) for path in paths]
    if not any(files):
        return None
    missing = [path.name for path, file in zip(paths, files, strict=True) if file is None]
    if missing:
        raise ArtifactError(
            f"{paths[0].parent}: {len(missing)} of {len(paths)} pictures have no label file ({missing[0]}, …); "
            "an empty one says that there is nothing to see"
        )
    return tuple(tuple(_lines(path, file)) for path, file in zip(paths, files, strict=True) if file is not None)


def _label_file(path: Path) -> Path | None:
    folders = [path.parent]
    if path.parent.name == "images":
        folders.append(path.parent.parent / "labels")
    return next((file for folder in folders if (file := folder / f"{path.stem}.txt").is_file()), None)


def _lines(picture: Path, file: Path) -> Iterator[Label]:
    try:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        size = size_in_header(picture.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{file}: cannot be read ({error}); check it") from error
    if size is None or 0 in size:
        raise ArtifactError(f"{picture}: not a picture that can be read; take it and its label away")
    for number, line in enumerate(lines, 1):
        label = _of_line(line.split(), size)
        if label is None:
            raise ArtifactError(
                f"{file}, line {number}: no label; `class cx cy w h` in shares of the picture would be right"
            )
        yield label


def _of_line(words: list[str], size: tuple[int, int]) -> Label | None:
    try:
        if len(words) == 6:
            x, y, w, h = (float(word) for word in words[1:5])
            return Label((x, y, x + w, y + h), 0, words[5])
        kind, shares = int(words[0]), np.array([float(word) for word in words[1:]])
    except ValueError:
        return None
    if kind < 0 or len(shares) < 4 or len(shares) % 2 or not bool(np.all((shares >= 0) & (shares <= 1))):
        return None
    points = shares.reshape(-1, 2)
    if len(points) == 2:  # the middle and the sides
        points = np.stack([points[0] - points[1] / 2, points[0] + points[1] / 2])
    (x1, y1), (x2, y2) = points.min(axis=0) * size, points.max(axis=0) * size
    return Label((float(x1), float(y1), float(x2), float(y2)), kind)


def _coco(file: Path, paths: Sequence[Path]) -> tuple[tuple[Label, ...], ...]:
    try:
        read: dict[str, Any] = json.loads(file.read_bytes())
        names = {each["id"]: str(each["name"]) for each in read["categories"]}
        pictures = {each["id"]: Path(each["file_name"]).name for each in read["images"]}
        found: dict[str, list[Label]] = {name: [] for name in pictures.values()}
        for each in read["annotations"]:
            x, y, w, h = (float(side) for side in each["bbox"])
            label = Label((x, y, x + w, y + h), names[each["category_id"]], str(each.get("text", "")))
            found[pictures[each["image_id"]]].append(label)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(f"{file}: not COCO's annotations ({error!r}); export them again") from error
    missing = [path.name for path in paths if path.name not in found]
    if missing:
        raise ArtifactError(f"{file}: names {len(missing)} of {len(paths)} pictures not at all ({missing[0]}, …)")
    return tuple(tuple(found[path.name]) for path in paths)


def _digests(paths: Sequence[Path]) -> Iterator[str]:
    try:
        for path in paths:
            yield hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise PictureError(f"{error.filename}: cannot be read ({error.strerror}); check the disk") from error
