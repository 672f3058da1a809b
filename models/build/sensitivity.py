"""Which layers of a network suffer from FP16: each rounded alone, and the network's output compared.

A *group* is a convolution (or matrix product) with the arithmetic behind it up to the next one. Its weights and what it
puts out are rounded to FP16, overflow included, while everything else stays in FP32; the sums inside a layer are not
rounded, since a GPU may keep them in FP32. Runs on ONNX Runtime, one pass of the network for each group and frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.acceptance.ladder import Sensitive
from platefleet.models.acceptance.measured import LEAST_CONFIDENCE
from platefleet.models.artifacts.passport import Recipe
from platefleet.models.build.child import Tell
from platefleet.models.errors import BuildError, MissingExtra

FRAMES = 3
"""That each group is tried on; what overflows does so in any."""
WORST = 1e3
"""The harm of what puts out no number at all."""
MASK = "platefleet_rounded"
"""Name of the input that says which groups are rounded, (groups,) bool."""
_BEGIN = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_ARITHMETIC = frozenset(
    {"Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Exp", "Sigmoid", "Tanh", "Relu", "LeakyRelu", "HardSigmoid"}
    | {"HardSwish", "Erf", "Softmax", "ReduceMean", "BatchNormalization", "Max", "Min", "Clip"}
)
"""Operators that TensorRT makes one layer of, of the node's name."""


def sensitive_layers(tell: Tell, onnx: Path, recipe: Recipe, frames: Dataset) -> tuple[Sensitive, ...]:
    """Return the groups of a network, the most sensitive first. Runs for minutes: call it in a child.

    frames: of which the first few are looked at; a reader's have labels. Raises BuildError for a network without names.
    """
    groups, model = with_rounding(onnx)
    try:
        import onnxruntime  # noqa: PLC0415 - an extra, loaded when used
    except ImportError as error:
        raise MissingExtra('ONNX Runtime is not installed: pip install "platefleet[onnx]"') from error
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    name = next(each.name for each in session.get_inputs() if each.name != MASK)
    blobs = list(islice(_blobs(recipe, frames), FRAMES))
    if not blobs:
        raise BuildError(f"{recipe.role}/fp16: no frame shows which layers suffer; name a folder of frames")

    def outputs(mask: NDArray[np.bool_]) -> list[NDArray[np.float32]]:
        return [session.run(None, {name: blob, MASK: mask})[0] for blob in blobs]

    exact = outputs(np.zeros(len(groups), np.bool_))
    found = []
    for number, layers in enumerate(groups):
        tell(f"looking for sensitive layers {number + 1}/{len(groups)}", (number + 1) / len(groups))
        mask = np.zeros(len(groups), np.bool_)
        mask[number] = True
        harms = [harm(one, other) for one, other in zip(exact, outputs(mask), strict=True)]
        found.append(Sensitive(layers, max(harms)))
    return tuple(sorted(found, key=lambda each: -each.harm))


def harm(exact: NDArray[np.float32], rounded: NDArray[np.float32]) -> float:
    """Return how far two outputs are apart, as a share of each row's largest number.

    A row is one kind of number: a box's side, a class. What is below the least confidence that counts is measured
    against that.

    >>> exact = np.float32([[[8.0, 4.0]]])
    >>> harm(exact, exact), harm(exact, exact * np.float32(np.inf))
    (0.0, 1000.0)
    """
    if not np.isfinite(rounded).all():
        return WORST
    scale = np.maximum(np.abs(exact).max(axis=-1, keepdims=True), LEAST_CONFIDENCE)
    return min(float(np.sqrt(np.mean(((rounded - exact) / scale) ** 2))), WORST)


def with_rounding(path: Path) -> tuple[tuple[tuple[str, ...], ...], Any]:
    """Return the names of each group's layers, and a model that rounds the groups that its input MASK tells to.

    Raises BuildError for a network whose layers have no names.
    """
    try:
        import onnx  # noqa: PLC0415 - an extra, loaded when used
    except ImportError as error:
        raise MissingExtra('onnx is not installed: pip install "platefleet[onnx]"') from error
    model = onnx.shape_inference.infer_shapes(onnx.load(str(path)))
    graph = model.graph
    groups = _groups(onnx, graph)
    if not groups:
        raise BuildError(f"{path.name}: its layers have no names, so none can be kept in FP32; export it with names")
    helper, number_of = onnx.helper, {name: at for at, names in enumerate(groups) for name in names}
    weights = {each.name for each in graph.initializer if each.data_type == onnx.TensorProto.FLOAT}
    told, nodes = set(), []

    def rounding(tensor: str, rounded: str, group: int) -> Iterator[Any]:
        if group not in told:
            told.add(group)
            graph.initializer.append(helper.make_tensor(f"{MASK}_at_{group}", onnx.TensorProto.INT64, [1], [group]))
            yield helper.make_node("Gather", [MASK, f"{MASK}_at_{group}"], [f"{MASK}_{group}"], axis=0)
        yield helper.make_node("Cast", [tensor], [f"{rounded}_half"], to=onnx.TensorProto.FLOAT16)
        yield helper.make_node("Cast", [f"{rounded}_half"], [f"{rounded}_back"], to=onnx.TensorProto.FLOAT)
        yield helper.make_node("Where", [f"{MASK}_{group}", f"{rounded}_back", tensor], [rounded])

    for index, node in enumerate(graph.node):
        group = number_of.get(node.name)
        if group is None:
            nodes.append(node)
            continue
        for at, name in enumerate(node.input):
            if name in weights:
                nodes += rounding(name, f"{name}_rounded_{index}", group)
                node.input[at] = f"{name}_rounded_{index}"
        nodes.append(node)
        for at, name in enumerate(node.output):
            node.output[at] = f"{name}_exact"
            nodes += rounding(f"{name}_exact", name, group)
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    graph.input.append(helper.make_tensor_value_info(MASK, onnx.TensorProto.BOOL, [len(groups)]))
    return groups, model


def _groups(onnx: Any, graph: Any) -> tuple[tuple[str, ...], ...]:
    """Return the names of the layers of each group, in the order of the graph."""
    floats = {each.name for each in (*graph.value_info, *graph.output) if _is_float(onnx, each)}
    group_of: dict[str, int] = {}
    groups: list[list[str]] = []
    seen: set[str] = set()
    for node in graph.node:
        fed = [group_of[name] for name in node.input if name in group_of]
        begins = node.op_type in _BEGIN and bool(node.name) and node.name not in seen
        if begins:
            groups.append([])
            fed = [len(groups) - 1]
        if not fed or not all(name in floats for name in node.output):
            continue
        for name in node.output:
            group_of[name] = max(fed)
        if begins or (node.op_type in _ARITHMETIC and node.name and node.name not in seen):
            groups[max(fed)].append(node.name)
            seen.add(node.name)
    return tuple(tuple(each) for each in groups if each)


def _is_float(onnx: Any, value: Any) -> bool:
    return bool(value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT)


def _blobs(recipe: Recipe, frames: Dataset) -> Iterator[NDArray[np.float32]]:
    from platefleet.models.build.quantize import squares, strips  # noqa: PLC0415 - heavy

    def silent(_step: str, _share: float | None) -> None:
        return

    if recipe.role == "reader":
        return strips(frames, recipe.size, recipe.batch, silent)
    return squares(frames, recipe.size, recipe.batch or 1, silent)
