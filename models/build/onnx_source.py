"""From a source to the ONNX that everything else is built from: exported once, checked, and run beside its source."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from platefleet.models.build.child import Tell
from platefleet.models.errors import BuildError, MissingExtra
from platefleet.models.rectify import STRIP_HEIGHT

OPSET = 17
"""The newest that every TensorRT from 8.5 on parses."""
IR_VERSION = 8
"""ONNX's file version that goes with opset 17 (source: ONNX's versioning table)."""
NEWER: dict[str, frozenset[str]] = {
    "Split": frozenset({"num_outputs"}),
    "Resize": frozenset({"antialias", "axes", "keep_aspect_ratio_policy"}),
    "Reshape": frozenset({"allowzero"}),
}
"""Attributes that came after OPSET (source: ONNX's operator changelog); what they change is seen by running both."""
ALIKE = 1e-2
"""Largest difference between exported and source, relative to the largest number in the output: float32 summed in
another order; boxes are pixels up to 640, so this is far below a pixel where it matters."""


def export(tell: Tell, source: Path, target: Path, size: int, *, reader: bool = False) -> None:
    """Write the ONNX of `source` at `target`: a `.pt` by ultralytics' exporter, an `.onnx` as it is, both checked.

    reader: it reads strips `size` pixels wide.

    Raises BuildError for what cannot be exported or has another layout, MissingExtra without ultralytics.
    """
    if source.suffix == ".pt":
        tell("exporting", None)
        _by_ultralytics(source, target, size)
    else:
        shutil.copyfile(source, target)
    tell("checking", None)
    check_onnx(target, size, reader=reader)
    if source.suffix == ".pt":
        _compare(source, target, size)


def check_onnx(path: Path, size: int, *, reader: bool = False) -> None:
    """Raise BuildError unless `path` is a sound ONNX model of one picture in and one tensor out."""
    try:
        import onnx  # noqa: PLC0415 - an extra, loaded when used
    except ImportError as error:
        raise MissingExtra('onnx is not installed: pip install "platefleet[onnx]"') from error
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # protobuf's and onnx's own, which share no base; any of them says that it is none
        raise BuildError(f"{path.name}: not a sound ONNX model ({_line(error)}); export it again") from error
    if len(model.graph.input) != 1 or len(model.graph.output) != 1:
        raise BuildError(
            f"{path.name}: {len(model.graph.input)} inputs and {len(model.graph.output)} outputs; one each is run"
        )
    sides = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    tall = STRIP_HEIGHT if reader else size
    if len(sides) != 4 or sides[2] not in {0, tall} or sides[3] not in {0, size}:
        raise BuildError(f"{path.name}: takes {sides}, not pictures of {size}x{tall} pixels; export it at that size")


def lowered(source: Path, target: Path) -> Path:
    """Return an ONNX of opset at most OPSET: `source` itself, or `target` written from it and run beside it.

    The graph is only relabelled: ONNX's own converter has no way back for some operators of YOLO's. Whether it still
    says the same is checked and seen by running both. Raises BuildError where it does not.
    """
    import onnx  # noqa: PLC0415

    model = onnx.load(str(source))
    opset = opset_of(model)
    if opset <= OPSET:
        return source
    for node in model.graph.node:
        # Newer releases gave these attributes to operators that mean the same without them where they are the default.
        for name in {each.name for each in node.attribute} & NEWER.get(node.op_type, frozenset()):
            node.attribute.remove(next(each for each in node.attribute if each.name == name))
    for each in model.opset_import:
        each.version = OPSET if each.domain in {"", "ai.onnx"} else each.version
    model.ir_version = min(model.ir_version, IR_VERSION)
    try:
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, str(target))
    except Exception as error:  # protobuf's and onnx's own, which share no base
        raise BuildError(
            f"{source.name}: of opset {opset}, and TensorRT takes {OPSET} at most ({_line(error)}); export it with that"
        ) from error
    if (off := difference(source, target)) > ALIKE:
        raise BuildError(f"{source.name}: says something else ({off:.1%}) in opset {OPSET}; export it with that")
    return target


def opset_of(model: Any) -> int:
    """Return the version of ONNX's own operators that a loaded model uses."""
    return max((each.version for each in model.opset_import if each.domain in {"", "ai.onnx"}), default=0)


def difference(one: Path, other: Path, sides: tuple[int, int] = (64, 64)) -> float:
    """Return the largest difference between two models' outputs on noise, relative to the largest number in them.

    sides: (height, width) where the models leave them open.
    """
    from platefleet.models.backends.onnx import open_session  # noqa: PLC0415

    outputs = []
    for path in (one, other):
        session = open_session(path)
        given = session.get_inputs()[0]
        shape = [1, 3, *sides]
        shape = [
            own if isinstance(own, int) and own > 0 else ours for own, ours in zip(given.shape, shape, strict=True)
        ]
        blob = np.random.default_rng(1).random(shape, np.float32)
        outputs.append(session.run(None, {given.name: blob})[0])
    return float(np.abs(outputs[0] - outputs[1]).max() / max(np.abs(outputs[0]).max(), 1e-9))


def _by_ultralytics(source: Path, target: Path, size: int) -> None:
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_OFFLINE", "true")
    try:
        from ultralytics.models import YOLO  # noqa: PLC0415 - an extra, loaded when used
    except ImportError as error:
        raise MissingExtra('ultralytics is not installed: pip install "platefleet[torch]"') from error
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        copy = Path(folder) / "model.pt"
        shutil.copyfile(source, copy)
        try:
            model: Any = YOLO(str(copy), task="detect", verbose=False)
            # Any batch: the shape that a recipe names is written down afterwards, from one export for all of them.
            made = model.export(
                format="onnx", imgsz=size, batch=1, dynamic=True, opset=OPSET, simplify=False, verbose=False
            )
            Path(made).replace(target)
        except Exception as error:  # whatever a checkpoint makes ultralytics raise says that it cannot be exported
            raise BuildError(
                f"{source.name}: ultralytics cannot export it ({_line(error)}); is it a detector?"
            ) from error


def _compare(source: Path, target: Path, size: int, batch: int = 2) -> None:
    """Run both on noise; raise BuildError where they differ."""
    import torch  # noqa: PLC0415
    from ultralytics.models import YOLO  # noqa: PLC0415

    from platefleet.models.backends.onnx import open_session  # noqa: PLC0415

    blob = np.random.default_rng(1).random((batch, 3, size, size), np.float32)
    network: Any = YOLO(str(source), task="detect", verbose=False).model
    network = network.float().eval().fuse(verbose=False)
    with torch.inference_mode():
        output = network(torch.from_numpy(blob))
    wanted = (output[0] if isinstance(output, (tuple, list)) else output).numpy()
    session = open_session(target)
    found = session.run(None, {session.get_inputs()[0].name: blob})[0]
    if found.shape != wanted.shape:
        raise BuildError(f"{source.name}: its ONNX puts out {found.shape}, the checkpoint {wanted.shape}")
    off = float(np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-9))
    if off > ALIKE:
        raise BuildError(f"{source.name}: its ONNX differs from the checkpoint by {off:.1%}; it is not used")


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
