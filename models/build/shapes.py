"""An ONNX model whose input's shape was left open, with that shape written down: what a runtime can plan for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from platefleet.models.build.folding import folded
from platefleet.models.errors import BuildError, MissingExtra

ALIKE = 1e-3
"""Largest difference that fixing a shape may make, relative to the largest number in the output."""


def input_shape(path: Path) -> tuple[int | None, ...]:
    """Return the shape of a model's input, None where it is open. Raises BuildError for what is no ONNX model."""
    dims = _loaded(path).graph.input[0].type.tensor_type.shape.dim
    return tuple(dim.dim_value or None for dim in dims)


def class_names(path: Path) -> tuple[str, ...]:
    """Return the class names in a detector's metadata, where ultralytics writes them; none if there are none."""
    from platefleet.models.backends.onnx import class_names as names_of  # noqa: PLC0415
    from platefleet.models.backends.onnx import open_session  # noqa: PLC0415
    from platefleet.models.errors import WeightsError  # noqa: PLC0415

    try:
        return names_of(open_session(path, 1), path)
    except WeightsError:
        return ()


def with_shape(source: Path, target: Path, shape: tuple[int | None, int, int, int]) -> Path:
    """Return a model that takes exactly `shape`, and says what follows from it: `source` where it does, else `target`.

    None: that side stays as it is.

    Raises BuildError where the source is fixed to another shape, or says something else once it is fixed.
    """
    model = _loaded(source)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    own = [dim.dim_value or None for dim in dims]
    if any(mine is not None and wanted not in {None, mine} for mine, wanted in zip(own, shape, strict=True)):
        raise BuildError(f"{source.name}: takes {_told(own)}, not {_told(shape)}; export it so, or ask for that")
    import onnx  # noqa: PLC0415

    for dim, side in zip(dims, shape, strict=True):
        if side is not None:
            dim.dim_value = side
    del model.graph.value_info[:]  # what stood there was told of open shapes
    for dim in model.graph.output[0].type.tensor_type.shape.dim[:-1]:
        if not dim.dim_value:
            dim.ClearField("dim_param")
    model = onnx.shape_inference.infer_shapes(model)
    if not folded(model) and all(wanted in {None, mine} for mine, wanted in zip(own, shape, strict=True)):
        return source
    onnx.save(onnx.shape_inference.infer_shapes(model), str(target))
    off = _difference(source, target, (shape[0] or own[0] or 2, *shape[1:]))
    if off > ALIKE:
        raise BuildError(f"{source.name}: says something else ({off:.1%}) at a fixed shape; leave it open")
    return target


def _told(sides: Sequence[int | None]) -> str:
    return "x".join("any" if side is None else str(side) for side in sides)


def _difference(one: Path, other: Path, shape: tuple[int, ...]) -> float:
    from platefleet.models.backends.onnx import open_session  # noqa: PLC0415

    blob = np.random.default_rng(1).random(shape, np.float32)
    outputs = []
    for path in (one, other):
        session = open_session(path)
        outputs.append(session.run(None, {session.get_inputs()[0].name: blob})[0])
    if outputs[0].shape != outputs[1].shape:
        return 1.0
    return float(np.abs(outputs[0] - outputs[1]).max() / max(np.abs(outputs[0]).max(), 1e-9))


def _loaded(path: Path) -> Any:
    try:
        import onnx  # noqa: PLC0415 - an extra, loaded when used
    except ImportError as error:
        raise MissingExtra('onnx is not installed: pip install "platefleet[onnx]"') from error
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf's own, which shares no base with onnx's: any of them says that it is none
        raise BuildError(f"{path.name}: not a sound ONNX model; export it again") from error
    if len(model.graph.input) != 1 or len(model.graph.input[0].type.tensor_type.shape.dim) != 4:
        raise BuildError(f"{path.name}: does not take one batch of pictures; it is neither a detector nor a reader")
    return model
