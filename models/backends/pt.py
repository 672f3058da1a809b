"""Ultralytics' own checkpoints through ultralytics and torch: the format a person trains.

A `.pt` is a pickle, so opening one runs what it says: it is opened only if its SHA-256 is the pinned one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from platefleet.models.backends.cores import usable_cores
from platefleet.models.backends.digest import check_digest
from platefleet.models.backends.squares import Squares, Thresholds
from platefleet.models.backends.stages import StageMs, Stages
from platefleet.models.detections import Detections, Frame, Region
from platefleet.models.errors import MissingExtra, WeightsError
from platefleet.models.letterbox import Blob
from platefleet.protocol.errors import ModelError

_QUIET = {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false"}
"""Ultralytics would otherwise install packages, look for updates and print; read when it is imported."""


class TorchDetector:
    """A `Detector` over an ultralytics checkpoint, on CUDA where torch has it, else on the CPU."""

    def __init__(
        self,
        path: Path,
        size: int,
        confidence: float,
        iou: float,
        classes: Sequence[int] | None = None,
        *,
        agnostic: bool = False,
        sha256: str | None = None,
        threads: int | None = None,
    ) -> None:
        """Load the checkpoint; arguments and errors are those of `open_detector`, and `sha256` is required."""
        if sha256 is None:
            raise WeightsError(f"{path}: a .pt is a pickle and runs what it says; pin its SHA-256, or give an .onnx")
        try:
            weights = path.read_bytes()
        except OSError as error:
            raise WeightsError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
        check_digest(weights, sha256, path)
        self._path = path
        self._torch = quiet_torch()
        self._torch.set_num_threads(threads or usable_cores())
        self._network: Any = self._loaded(weights)
        names = self._network.names
        self._classes = tuple(str(names[number]) for number in range(len(names)))
        chosen = None if classes is None else tuple(classes)
        self._squares = Squares(size, None, Thresholds(confidence, iou, chosen, agnostic))
        self._stages = Stages()

    @property
    def stage_ms(self) -> StageMs:
        """How long the last `detect` took for what."""
        return self._stages.last

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the model's classes, from the checkpoint."""
        return self._classes

    def detect(self, frame: Frame, regions: Sequence[Region]) -> list[Detections]:
        """Return one `Detections` for each region. Raises ModelError if torch fails or after `close`."""
        return self._stages.detect(self._squares, self._forward, frame, regions)

    def close(self) -> None:
        """Give back the network's memory."""
        self._network = None

    def _loaded(self, weights: bytes) -> Any:
        """Return the network, fused and in float32, from the very bytes that were checked."""
        from ultralytics.models import YOLO  # noqa: PLC0415

        with tempfile.TemporaryDirectory(prefix="platefleet-") as folder:
            copy = Path(folder) / "model.pt"  # the file at `path` could be replaced between check and load
            copy.write_bytes(weights)
            try:
                network: Any = YOLO(str(copy), task="detect", verbose=False).model
                network = network.float().eval().fuse(verbose=False)
            except (OSError, RuntimeError, ValueError, TypeError, AttributeError, ImportError, LookupError) as error:
                raise WeightsError(f"{self._path}: ultralytics cannot load it ({error}); export it as .onnx") from error
        return network.to(self._device())

    def _device(self) -> str:
        return "cuda" if self._torch.cuda.is_available() else "cpu"

    def _forward(self, blob: Blob) -> NDArray[np.float32]:
        if self._network is None:
            raise ModelError(f"{self._path}: the detector is closed; open it again")
        try:
            with self._torch.inference_mode():
                # A copy, since the pass may work in place and the buffer is kept.
                output = self._network(self._torch.tensor(blob, device=self._device()))
        except RuntimeError as error:  # torch's own, out of memory included
            raise ModelError(f"{self._path}: the forward pass failed ({error}); check memory") from error
        boxes = output[0] if isinstance(output, (tuple, list)) else output
        array: NDArray[np.float32] = boxes.float().cpu().numpy()
        return array


def quiet_torch() -> Any:
    """Return torch, with ultralytics importable and kept quiet."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    printing, threads = np.get_printoptions(), cv2.getNumThreads()
    try:
        import torch  # noqa: PLC0415 - an extra, loaded when used
        import ultralytics.utils  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingExtra('ultralytics is not installed: pip install "platefleet[torch]"') from error
    # Importing it changes how every array of the process prints, and leaves OpenCV one thread.
    np.set_printoptions(**printing)
    cv2.setNumThreads(threads)
    return torch
