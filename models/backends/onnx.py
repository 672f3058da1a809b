"""ONNX models on the CPU through ONNX Runtime. The only file that knows it for detectors."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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

_NEWER_OPSET = re.compile(r"Opset (\d+) is under development")


class OnnxDetector:
    """A `Detector` over a YOLOv8 or YOLO11 model with a fixed or a free batch."""

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
        """Load the model; arguments and errors are those of `open_detector`."""
        self._path = path
        self._session: Any = open_session(path, threads, free={"height": size, "width": size}, sha256=sha256)
        batch = _batch(self._session, size, path)
        self._classes = class_names(self._session, path)
        rows = self._session.get_outputs()[0].shape[1]
        if isinstance(rows, int) and rows != 4 + len(self._classes):
            raise WeightsError(
                f"{path}: puts out {rows} rows, not a box and {len(self._classes)} classes; export it as YOLOv8 has it"
            )
        chosen = None if classes is None else tuple(classes)
        self._squares = Squares(size, batch, Thresholds(confidence, iou, chosen, agnostic))
        self._stages = Stages()
        self._errors = runtime_errors()

    @property
    def stage_ms(self) -> StageMs:
        """How long the last `detect` took for what."""
        return self._stages.last

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the model's classes, from its metadata."""
        return self._classes

    def detect(self, frame: Frame, regions: Sequence[Region]) -> list[Detections]:
        """Return one `Detections` for each region. Raises ModelError if the runtime fails or after `close`."""
        return self._stages.detect(self._squares, self._forward, frame, regions)

    def close(self) -> None:
        """Give back the session's memory."""
        self._session = None

    def _forward(self, blob: Blob) -> NDArray[np.float32]:
        if self._session is None:
            raise ModelError(f"{self._path}: the detector is closed; open it again")
        try:
            output: NDArray[np.float32] = self._session.run(None, {self._session.get_inputs()[0].name: blob})[0]
        except self._errors as error:
            raise ModelError(f"{self._path}: the forward pass failed ({_first_line(error)}); check memory") from error
        if output.ndim != 3 or output.shape[:2] != (len(blob), 4 + len(self._classes)):
            raise ModelError(f"{self._path}: put out {output.shape}, not a box and {len(self._classes)} classes each")
        return output


def open_session(
    path: Path, threads: int | None = None, *, free: dict[str, int] | None = None, sha256: str | None = None
) -> Any:
    """Open an ONNX model for the CPU, one inference at a time.

    threads: None takes `usable_cores`. free: sizes of dimensions that the model leaves open, by their names: what
    depends on them alone is then computed once, here. sha256: the digest that the file must have.
    Raises WeightsError for a file that is none or another, MissingExtra without ONNX Runtime.
    """
    try:
        import onnxruntime  # noqa: PLC0415 - an extra, loaded when used
    except ImportError as error:
        raise MissingExtra('ONNX Runtime is not installed: pip install "platefleet[onnx]"') from error
    # Builds since 1.32 note a session id in the temporary folder and may report usage: a barrier reports to its owner.
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # what matters arrives as an exception
    # Threads that wait by spinning take the cores from the next model, the camera and the uplink. Sleeping costs a pass
    # 5-12 % (measured: YOLOv8n at 640 pixels, two idle cores, median of 12: 57 ms spinning, 60-65 ms not).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, length in (free or {}).items():
        options.add_free_dimension_override_by_name(name, length)
    try:
        weights = path.read_bytes()  # checked and used are the same bytes
        check_digest(weights, sha256, path)
        return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except runtime_errors() as error:
        if newer := _NEWER_OPSET.search(str(error)):
            told = f"of ONNX opset {newer[1]}, which ONNX Runtime {onnxruntime.__version__} does not know"
            raise WeightsError(f"{path}: {told}; export it with opset 17") from error
        raise WeightsError(f"{path}: not a model that can be run ({_first_line(error)}); fetch it again") from error


def runtime_errors() -> tuple[type[Exception], ...]:
    """Return every exception that ONNX Runtime raises; the list comes from the library, so it grows with it."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415

    kinds = [kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    return (*kinds, RuntimeError, ValueError)


def class_names(session: Any, path: Path) -> tuple[str, ...]:
    """Return the class names in the model's metadata, where ultralytics writes them as a dict's literal."""
    try:
        names = ast.literal_eval(session.get_modelmeta().custom_metadata_map["names"])
        ordered = tuple(str(names[number]) for number in range(len(names)))
    except (KeyError, ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise WeightsError(
            f"{path}: its metadata names no classes; export it with ultralytics, which writes them"
        ) from error
    return ordered


def _batch(session: Any, size: int, path: Path) -> int | None:
    """Return the model's fixed batch, or None for any; refuse a model that is no detector of this size."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
        raise WeightsError(f"{path}: not a detector, which takes one float picture (batch, 3, height, width)")
    batch, channels, height, width = inputs[0].shape
    if channels not in (3, None) and not isinstance(channels, str):
        raise WeightsError(f"{path}: takes {channels} channels, not 3; give a model for colour pictures")
    for side in (height, width):
        if isinstance(side, int) and side != size:
            raise WeightsError(f"{path}: made for {height}x{width} pixels, not {size}; set its size to {height}")
    if len(outputs) != 1 or len(outputs[0].shape) != 3 or outputs[0].shape[2] == 6:
        raise WeightsError(f"{path}: not a YOLOv8 or YOLO11 detector without built-in suppression; export it so")
    return batch if isinstance(batch, int) else None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
