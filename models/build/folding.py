"""What follows from the sides of an ONNX model's picture, written down: a detector's anchors, the sizes of its parts.

TensorRT 8.6 does not heed `start` and `end` of Shape, by which anchors follow from a picture whose sides are open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDED = frozenset(
    {
        *("Add", "Cast", "Ceil", "Concat", "ConstantOfShape", "Div", "Expand", "Floor", "Gather", "Identity", "Mul"),
        *("Range", "Reshape", "Slice", "Squeeze", "Sub", "Tile", "Transpose", "Unsqueeze"),
    }
)
"""Arithmetic of shapes and grids; anything else is left to whoever runs the model."""


def folded(model: Any) -> int:
    """Replace what follows from known sides by its value; return how many nodes that were.

    model: its shapes were inferred. Weights, and what follows from them alone, stay as they are.
    """
    from onnx import numpy_helper  # noqa: PLC0415 - an extra, loaded when used

    graph = model.graph
    known = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    sides = {each.name: _sides(each) for each in (*graph.input, *graph.value_info)}
    derived: dict[str, NDArray[Any]] = {}
    left = []
    for node in graph.node:
        value = _shape(node, sides) if node.op_type == "Shape" else _outcome(model, node, known, derived)
        if value is None:
            left.append(node)
            known.update(_constant(node))
        else:
            derived[node.output[0]] = value
    used = {name for node in left for name in _named(node)} | {each.name for each in graph.output}
    folded_away = len(graph.node) - len(left)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(left)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in derived.items() if name in used)
    return folded_away


def _sides(value: Any) -> list[int | None] | None:
    """Return a tensor's sides, None where one is open; None alone where not even their number is known."""
    kind = value.type.tensor_type
    return [side.dim_value or None for side in kind.shape.dim] if kind.HasField("shape") else None


def _shape(node: Any, sides: dict[str, list[int | None] | None]) -> NDArray[np.int64] | None:
    from onnx import helper  # noqa: PLC0415

    of = sides.get(node.input[0])
    if of is None:
        return None
    options = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    part = of[options.get("start", 0) : options.get("end")]
    known = [side for side in part if side is not None]
    return np.array(known, np.int64) if len(known) == len(part) else None


def _outcome(
    model: Any, node: Any, known: dict[str, NDArray[Any]], derived: dict[str, NDArray[Any]]
) -> NDArray[Any] | None:
    """Return what a node says if it follows from what was derived before and from constants."""
    from onnx import helper  # noqa: PLC0415
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415

    names = [name for name in node.input if name]
    if node.op_type not in FOLDED or node.domain not in {"", "ai.onnx"} or len(node.output) != 1:
        return None
    if not any(name in derived for name in names) or not all(name in derived or name in known for name in names):
        return None
    values = {name: derived[name] if name in derived else known[name] for name in names}
    inputs, outputs = (
        [helper.make_empty_tensor_value_info(each) for each in some] for some in (node.input, node.output)
    )
    graph = helper.make_graph([node], "alone", inputs, outputs)
    alone = helper.make_model(graph, opset_imports=model.opset_import)
    try:
        (value,) = ReferenceEvaluator(alone).run(None, values)
    except Exception:  # noqa: BLE001 - whatever this cannot do is left to whoever runs the model
        return None
    return value if isinstance(value, np.ndarray) else np.asarray(value)


def _constant(node: Any) -> dict[str, NDArray[Any]]:
    from onnx import numpy_helper  # noqa: PLC0415

    if node.op_type != "Constant":
        return {}
    values = [numpy_helper.to_array(each.t) for each in node.attribute if each.name == "value"]
    return dict(zip(node.output, values, strict=False))


def _named(node: Any) -> Iterator[str]:
    """Yield the names that a node uses, those of the branches inside it too."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from (each.name for each in graph.output)
            for inner in graph.node:
                yield from _named(inner)
