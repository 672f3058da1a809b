"""INT8 for ONNX Runtime: static quantization, QDQ, calibrated on frames that the evaluation never sees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.build.child import Tell
from platefleet.models.detections import Region
from platefleet.models.errors import BuildError, MissingExtra
from platefleet.models.letterbox import letterbox
from platefleet.models.reader import strips_of

CALIBRATION_MOST = 200
"""Frames that are looked at; more move the ranges hardly (ultralytics and NVIDIA advise a few hundred)."""


class _Frames:
    """Gives the quantizer what the network gets, batch by batch (its `CalibrationDataReader`)."""

    def __init__(self, name: str, blobs: Iterator[NDArray[np.float32]]) -> None:
        self._name, self._blobs = name, blobs

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch, or None at the end."""
        blob = next(self._blobs, None)
        return None if blob is None else {self._name: blob}


def squares(dataset: Dataset, size: int, batch: int, tell: Tell) -> Iterator[NDArray[np.float32]]:
    """Yield the pictures of a dataset as a detector's network gets them."""
    wanted = min(len(dataset), CALIBRATION_MOST)
    for number, frame in zip(range(wanted), dataset.frames(), strict=False):
        yield letterbox(frame, [Region.whole(frame)] * batch, size)
        tell("calibrating", (number + 1) / wanted)


def strips(dataset: Dataset, width: int, batch: int | None, tell: Tell) -> Iterator[NDArray[np.float32]]:
    """Yield the plates of a labelled dataset as a reader's network gets them. Raises BuildError without labels."""
    if dataset.labels is None:
        raise BuildError("reader/int8: needs labels with the plates' boxes beside the calibration pictures")
    wanted = min(len(dataset), CALIBRATION_MOST)
    for number, (frame, labels) in enumerate(zip(dataset.frames(), dataset.labels, strict=True)):
        if number == wanted:
            return
        yield from strips_of(frame, np.array([each.box for each in labels], np.float32).reshape(-1, 4), width, batch)
        tell("calibrating", (number + 1) / wanted)


def quantize(
    tell: Tell,
    source: Path,
    target: Path,
    size: int,
    calibration: Dataset,
    *,
    head_fp32: bool = True,
    reader: bool = False,
) -> None:
    """Write `source` (ONNX, float32) quantized to INT8 at `target`.

    head_fp32: leave the detection head in FP32, whose boxes span hundreds of pixels and do not fit into eight bits.
    reader: it reads strips `size` pixels wide, which are cut from the labels' boxes.
    Raises BuildError for a model that cannot be quantized, MissingExtra without ONNX Runtime.
    """
    try:
        import onnx  # noqa: PLC0415 - an extra, loaded when used
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static  # noqa: PLC0415
        from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra('ONNX Runtime is not installed: pip install "platefleet[onnx]"') from error
    tell("preparing", None)
    ready = target.with_name("prepared.onnx")
    try:
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        model = onnx.load(str(ready))
        given = model.graph.input[0]
        batch = given.type.tensor_type.shape.dim[0].dim_value
        blobs = (
            strips(calibration, size, batch or None, tell) if reader else squares(calibration, size, batch or 1, tell)
        )
        quantize_static(
            str(ready),
            str(target),
            _Frames(given.name, blobs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=head_nodes([node.name for node in model.graph.node]) if head_fp32 and not reader else [],
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )
    except (ValueError, RuntimeError, KeyError, AttributeError, AssertionError, onnx.checker.ValidationError) as error:
        raise BuildError(f"{source.name}: cannot be quantized ({error}); look at its operators") from error
    finally:
        ready.unlink(missing_ok=True)


def head_nodes(names: list[str]) -> list[str]:
    """Return the nodes of the last module of a YOLO graph as ultralytics names them: its detection head.

    >>> head_nodes(["/model.0/conv/Conv", "/model.22/cv2.0/Conv", "/model.22/dfl/Softmax", "output"])
    ['/model.22/cv2.0/Conv', '/model.22/dfl/Softmax', 'output']
    """
    numbers = {name: int(found[1]) for name in names if (found := re.match(r"/model\.(\d+)/", name))}
    if not numbers:
        return []
    last = max(numbers.values())
    return [name for name in names if numbers.get(name, last) == last]
