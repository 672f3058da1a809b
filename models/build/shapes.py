"""An ONNX model whose input's shape was left open, with that shape written down: what a runtime can plan for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from platefleet.models.errors import BuildError, MissingExtra

_RANDOM = frozenset({"RandomNormal", "RandomUniform", "Bernoulli", "Multinomial"})
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
    """Return a model that takes exactly `shape`: `source` where it does so already, else `target`, run beside it.

    None: that side stays as it is.

    Raises BuildError where the source is fixed to another shape, or says something else once it is fixed.
    """
    model = _loaded(source)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    own = [dim.dim_value or None for dim in dims]
    if all(wanted in {None, mine} for mine, wanted in zip(own, shape, strict=True)):
        return source
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
    onnx.save(onnx.shape_inference.infer_shapes(folded(onnx.shape_inference.infer_shapes(model))), str(target))
    off = _difference(source, target, (shape[0] or 2, *shape[1:]))
    if off > ALIKE:
        raise BuildError(f"{source.name}: says something else ({off:.1%}) at a fixed shape; leave it open")
    return target


def folded(model: Any) -> Any:
    """Return a model, whose shapes were inferred, with what follows from known sides and constants written down.

    TensorRT 8.6 does not heed `start` and `end` of Shape, by which a detector's anchors follow from its picture.
    """
    from onnx import numpy_helper  # noqa: PLC0415

    graph = model.graph
    given = {each.name for each in graph.initializer}
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    sides = {each.name: _sides(each) for each in (*graph.input, *graph.value_info)}
    left = []
    for node in graph.node:
        found = _outcome(model, node, constants, sides)
        constants.update(found)
        if not found:
            left.append(node)
    used = {name for node in left for name in node.input} | {each.name for each in graph.output}
    kept = [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used - given]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(left)
    graph.initializer.extend(kept)
    return model


def _outcome(
    model: Any, node: Any, constants: dict[str, NDArray[Any]], sides: dict[str, list[int | None]]
) -> dict[str, NDArray[Any]]:
    """Return what a node says whatever the picture: by its outputs' names, none where that is not known."""
    from onnx import helper  # noqa: PLC0415
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415

    if node.op_type == "Shape":
        options = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        part = sides.get(node.input[0], [None])[options.get("start", 0) : options.get("end")]
        known = [side for side in part if side is not None]
        return {node.output[0]: np.array(known, np.int64)} if known == part else {}
    if node.op_type in _RANDOM or any(name and name not in constants for name in node.input):
        return {}
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
    alone = helper.make_graph(
        [node], "alone", [helper.make_empty_tensor_value_info(name) for name in node.input], outputs
    )
    run = ReferenceEvaluator(helper.make_model(alone, opset_imports=model.opset_import))
    values = run.run(None, {name: constants[name] for name in node.input if name})
    return dict(zip(node.output, values, strict=True))


def _told(sides: Sequence[int | None]) -> str:
    return "x".join("any" if side is None else str(side) for side in sides)


def _sides(value: Any) -> list[int | None]:
    return [side.dim_value or None for side in value.type.tensor_type.shape.dim]


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
