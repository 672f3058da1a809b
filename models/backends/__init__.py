"""Detectors by the kind of their weights; each backend's library is imported when a file of its kind is opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from platefleet.models.errors import WeightsError
from platefleet.models.ports import Detector
from platefleet.protocol.errors import ModelError


def open_detector(
    path: Path,
    size: int,
    confidence: float,
    iou: float,
    *,
    classes: Sequence[int] | None = None,
    agnostic: bool = False,
    sha256: str | None = None,
    threads: int | None = None,
    names: Sequence[str] | None = None,
) -> Detector:
    """Open the weights at `path` as a detector, by the suffix: `.onnx`, `.pt`, or `.engine` (`.plan`) of TensorRT.

    size: side of the square in pixels, a multiple of 32. confidence, iou: 0-1, the least a box needs and the most two
    boxes of a class may overlap. classes: keep these class numbers only. agnostic: a box suppresses those of other
    classes too. sha256: the digest the file must have; a `.pt` is a pickle, an engine can end the process: both
    are refused without one. threads: of the CPU (None: one for each physical core this process may use). names: of an
    engine's classes, which it does not tell itself.
    Raises WeightsError for a file that is absent, unreadable or not the one pinned, MissingExtra without its library,
    ModelError for a kind that cannot be run, ValueError for a size or threshold that no model has.
    """
    if size <= 0 or size % 32:
        raise ValueError(f"a detector's size is a multiple of 32 pixels, not {size}")
    if not (0 <= confidence <= 1 and 0 <= iou <= 1):
        raise ValueError(f"confidence {confidence} and iou {iou} lie in 0-1")
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights; give the path of an .onnx, .pt or .engine file")
    match path.suffix.lower():
        case ".onnx":
            from platefleet.models.backends.onnx import OnnxDetector  # noqa: PLC0415 - an extra, loaded when used

            return OnnxDetector(path, size, confidence, iou, classes, agnostic=agnostic, sha256=sha256, threads=threads)
        case ".pt":
            from platefleet.models.backends.pt import TorchDetector  # noqa: PLC0415 - an extra, loaded when used

            return TorchDetector(
                path, size, confidence, iou, classes, agnostic=agnostic, sha256=sha256, threads=threads
            )
        case ".engine" | ".plan":
            from platefleet.models.backends.tensorrt import TensorrtDetector  # noqa: PLC0415 - an extra

            return TensorrtDetector(path, size, confidence, iou, classes, agnostic=agnostic, sha256=sha256, names=names)
        case other:
            raise ModelError(
                f"{path}: {other or 'no suffix'} names no kind of weights; give an .onnx, .pt or .engine file"
            )
