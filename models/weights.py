"""The materials of a demo, the tests and the bench: three models and the barrier photos, fetched once."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from platefleet.models.checkpoint import read_checkpoint
from platefleet.models.errors import WeightsError
from platefleet.models.fetching import Progress, cache_folder, digest_of, fetch, locked
from platefleet.models.graft import graft
from platefleet.models.pinned import PHOTOS, PLATE, READER, VEHICLE

GRAFT_VERSION = 1
"""Raised when `graft` writes another file from the same weights, so that cached ones are made again."""


@dataclass(frozen=True, slots=True)
class Materials:
    """Paths of what was fetched.

    vehicle: ONNX, COCO's classes, 640 pixels, batch 1. plate: ONNX, any batch and size, grafted from `checkpoint`, the
    `.pt` whose SHA-256 is `PLATE.members[0].sha256`. reader: ONNX. photos: 18 PNG by name, or none; labels: theirs.
    """

    vehicle: Path
    plate: Path
    reader: Path
    checkpoint: Path
    photos: tuple[Path, ...] = ()
    labels: tuple[Path, ...] = ()


def to_stderr(line: str) -> None:
    """Show progress on standard error."""
    print(line, file=sys.stderr, flush=True)


def materials(cache: Path | None = None, *, photos: bool, progress: Progress = to_stderr) -> Materials:
    """Return the pinned weights, and the barrier photos if asked, fetching what the cache lacks.

    cache: folder (None: `cache_folder`). Everything is checked by digest at every call (45 MB, about 0.1 s); with a
    full cache no network is touched. Raises WeightsError, and MissingExtra if onnx is needed and absent.
    """
    folder = cache_folder() if cache is None else cache
    packages = (VEHICLE, PLATE, READER)
    kept = fetch(packages, folder / "weights", progress)
    pictures = fetch((PHOTOS,), folder / "photos", progress) if photos else {}
    plate = grafted(kept["plate.pt"], kept["vehicle.onnx"], folder / "derived", progress)
    return Materials(
        kept["vehicle.onnx"],
        plate,
        kept["reader.onnx"],
        kept["plate.pt"],
        tuple(path for name, path in sorted(pictures.items()) if name.endswith(".png")),
        tuple(path for name, path in sorted(pictures.items()) if name.endswith(".txt")),
    )


def grafted(checkpoint: Path, family: Path, folder: Path, progress: Progress = to_stderr) -> Path:
    """Return the ONNX file that `graft` makes of a checkpoint, made once and kept in `folder`.

    Its name comes from the digests of what it was made from; a JSON file beside it holds them and its own, by which a
    file that was damaged since is noticed and made again. Raises what `graft` raises.
    """
    origin = {"checkpoint": digest_of(checkpoint), "family": digest_of(family), "graft": GRAFT_VERSION}
    name = hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()[:16]
    path, passport = folder / f"{checkpoint.stem}-{name}.onnx", folder / f"{checkpoint.stem}-{name}.json"
    try:
        if _is_whole(path, passport):
            return path
        with locked(folder, progress):
            if not _is_whole(path, passport):
                progress(f"writing {checkpoint.name} as ONNX")
                model = graft(read_checkpoint(checkpoint), family)
                _place(path, model)
                described = {"sha256": hashlib.sha256(model).hexdigest(), "from": origin}
                _place(passport, json.dumps(described, indent=2).encode())
    except OSError as error:
        raise WeightsError(
            f"{folder}: cannot be written ({error.strerror}); free some space or set PLATEFLEET_CACHE"
        ) from error
    return path


def _is_whole(path: Path, passport: Path) -> bool:
    """Return whether the derived file is there and is what was written."""
    try:
        said = json.loads(passport.read_bytes())
        return isinstance(said, dict) and said.get("sha256") == digest_of(path)
    except (FileNotFoundError, ValueError):
        return False


def _place(path: Path, content: bytes) -> None:
    """Put a whole file in place, or none."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
