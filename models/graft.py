"""A trained network written as ONNX in the graph of another of its family, with onnx alone: no torch, no export.

YOLOv8n trained on plates differs from YOLOv8n trained on COCO in its weights and in the width of the head's class
branch. So the plate checkpoint's weights (convolution and batch normalisation folded into one, as ultralytics fuses
them) take the place of the vehicle model's, and the head's end is written anew: it takes any batch and any picture
whose sides are multiples of 32, where ultralytics' export has the anchors of one size as constants.
`tests/unit/models/test_graft.py` holds the result equal to ultralytics' own forward pass.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from platefleet.models.checkpoint import Checkpoint, Module
from platefleet.models.errors import MissingExtra, WeightsError

STRIDES = (8, 16, 32)
"""Pixels per cell of the head's three levels (YOLOv8's P3, P4, P5)."""
_HEAD = "/model.22"
_BINS = 16
"""Steps of each side's distance (YOLOv8's `reg_max`)."""


def graft(network: Checkpoint | None, family: Path) -> bytes:
    """Return an ONNX file of `network` in the graph of `family`, a YOLOv8 that ultralytics exported.

    The input is `images` (batch, 3, height, width) float32, the output `output0` (batch, 4 + classes, anchors), both
    with free batch, height and width. network: None keeps the family's own weights and names.
    Raises WeightsError if `family` is no such graph or `network` is of another family; MissingExtra without onnx.
    """
    onnx = _onnx()
    try:
        model = onnx.load(str(family))
    except (OSError, ValueError, onnx.onnx_cpp2py_export.checker.ValidationError, *_protobuf_errors()) as error:
        raise WeightsError(f"{family}: not an ONNX model ({error}); fetch it again") from error
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    if f"{_HEAD}/Concat_3" not in {node.name for node in graph.node}:
        raise WeightsError(f"{family}: not YOLOv8 as ultralytics exports it, so nothing can be grafted into it")
    if network is not None:
        _replace_weights(tensors, network, str(family))
        _set_metadata(model, {"names": repr(dict(enumerate(network.names)))})
    _rewrite_head(graph)
    _set_metadata(model, {"dynamic": "True", "grafted": "True"})
    onnx.checker.check_model(model, full_check=True)
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def _onnx() -> Any:
    try:
        import onnx  # noqa: PLC0415 - an extra, loaded when used
        import onnx.checker  # noqa: PLC0415
        import onnx.helper  # noqa: PLC0415
        import onnx.numpy_helper  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra('onnx is not installed: pip install "platefleet[onnx]"') from error
    return onnx


def _protobuf_errors() -> tuple[type[Exception], ...]:
    # Comes with onnx; it has no types and is no dependency of ours.
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # noqa: PLC0415

    return (DecodeError,)


def fused(convolution: Module, norm: Module) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return weight and bias of a convolution with its batch normalisation folded in.

    w' = w s, b' = b - mean s with s = gain / sqrt(variance + eps), in float32 (source: ultralytics'
    `fuse_conv_and_bn`).
    """
    weight, held = convolution.arrays["weight"], norm.arrays
    scale = held["weight"] / np.sqrt(held["running_var"] + np.float32(norm.attributes["eps"]))
    bias = held["bias"] - held["running_mean"] * scale
    if "bias" in convolution.arrays:
        bias = bias + convolution.arrays["bias"] * scale
    return weight * scale[:, None, None, None], bias


def _weights(network: Checkpoint) -> dict[str, NDArray[np.float32]]:
    """Return the network's arrays under the names of the exported graph."""
    named: dict[str, NDArray[np.float32]] = {}
    for path, module in network.modules.items():
        if not module.kind.endswith(".Conv2d"):
            continue
        parent, _, _ = path.rpartition(".")
        norm = network.modules.get(f"{parent}.bn")
        if norm is not None:
            named[f"{path}.weight"], named[f"{path}.bias"] = fused(module, norm)
        else:
            named.update({f"{path}.{name}": array for name, array in module.arrays.items()})
    return named


def _replace_weights(tensors: dict[str, Any], network: Checkpoint, family: str) -> None:
    """Put the network's weights in the place of the graph's; each must have one and fit."""
    onnx = _onnx()
    weights = _weights(network)
    expected = {name for name in tensors if name.startswith("model.")}
    if expected != set(weights):
        odd = sorted(expected ^ set(weights))
        raise WeightsError(f"the checkpoint is of another family than {family}: {len(odd)} layers differ, as {odd[0]}")
    for name, array in weights.items():
        old, new = tuple(tensors[name].dims), array.shape
        # Only the class branch's width depends on the number of classes; the checker proves that its layers meet.
        branch = name.startswith("model.22.cv3.")
        if old != new and not (branch and old[2:] == new[2:] and len(old) == len(new)):
            raise WeightsError(f"the checkpoint is of another family than {family}: {name} is {new}, not {old}")
        tensors[name].CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))


def _rewrite_head(graph: Any) -> None:
    """Free the head of batch and size: reshapes by what is there, anchors counted from the levels' own shapes."""
    onnx = _onnx()
    helper, from_array = onnx.helper, onnx.numpy_helper.from_array
    nodes = {node.name: node for node in graph.node}
    tensors = {tensor.name: tensor for tensor in graph.initializer}

    def constant(name: str, value: NDArray[Any]) -> str:
        if name in tensors:
            tensors[name].CopyFrom(from_array(value, name))
        else:
            graph.initializer.append(from_array(value, name))
        return name

    # A zero copies the axis, -1 takes what is left.
    for level in range(3):
        box, score = nodes[_numbered("Reshape", level)], nodes[_numbered("Reshape", level + 3)]
        classes = tensors[f"model.22.cv3.{level}.2.bias"].dims[0]
        constant(box.input[1], np.array([0, 4 * _BINS, -1], np.int64))
        constant(score.input[1], np.array([0, classes, -1], np.int64))
    constant(nodes[f"{_HEAD}/dfl/Reshape"].input[1], np.array([0, 4, _BINS, -1], np.int64))
    constant(nodes[f"{_HEAD}/dfl/Reshape_1"].input[1], np.array([0, 4, -1], np.int64))

    levels = [nodes[_numbered("Reshape", level)].input[0] for level in range(3)]
    added, anchors, strides = _anchor_nodes(helper, constant, levels)
    for name in (f"{_HEAD}/Sub", f"{_HEAD}/Add_1"):
        graph.initializer.remove(tensors[nodes[name].input[0]])
        nodes[name].input[0] = anchors
    graph.initializer.remove(tensors[nodes[f"{_HEAD}/Mul_2"].input[1]])
    nodes[f"{_HEAD}/Mul_2"].input[1] = strides
    # Nodes must follow what they use: the anchors need the levels and are needed by the first subtraction.
    at = next(index for index, node in enumerate(graph.node) if node.name == f"{_HEAD}/Sub")
    ordered = [*graph.node[:at], *added, *graph.node[at:]]
    del graph.node[:]
    graph.node.extend(ordered)
    del graph.value_info[:]  # shapes of the one size it was exported for
    outputs = 4 + tensors["model.22.cv3.0.2.bias"].dims[0]
    _declare(graph.input[0], ("batch", 3, "height", "width"))
    _declare(graph.output[0], ("batch", outputs, "anchors"))


def _declare(value: Any, shape: tuple[int | str, ...]) -> None:
    """Write the shape of an input or output: a number is fixed, a name is free."""
    for dimension, length in zip(value.type.tensor_type.shape.dim, shape, strict=True):
        dimension.Clear()
        if isinstance(length, str):
            dimension.dim_param = length
        else:
            dimension.dim_value = length


def _numbered(operation: str, number: int) -> str:
    return f"{_HEAD}/{operation}_{number}" if number else f"{_HEAD}/{operation}"


def _anchor_nodes(helper: Any, constant: Any, levels: list[str]) -> tuple[list[Any], str, str]:
    """Return nodes that count the cells of each level, and the names of their outputs.

    Anchors are cell centres, (1, 2, anchors) x before y; strides (1, anchors), pixels per cell, row by row, the finest
    level first (source: ultralytics' `make_anchors`).
    """
    nodes: list[Any] = []

    def add(operation: str, name: str, *inputs: str, **attributes: Any) -> str:
        output = f"{_HEAD}/anchors/{name}"
        nodes.append(helper.make_node(operation, list(inputs), [output], name=output, **attributes))
        return output

    zero = constant("anchors.zero", np.array(0, np.int64))
    one = constant("anchors.one", np.array(1, np.int64))
    ones = constant("anchors.ones", np.array([1], np.int64))
    half = constant("anchors.half", np.array(0.5, np.float32))
    flat = constant("anchors.flat", np.array([1, 1, -1], np.int64))
    grids, strides = [], []
    for number, (level, stride) in enumerate(zip(levels, STRIDES, strict=True)):
        shape = add("Shape", f"{number}/shape", level, start=2, end=4)
        height, width = (add("Gather", f"{number}/{side}", shape, axis) for side, axis in (("h", zero), ("w", one)))
        x = add("Range", f"{number}/x", zero, width, one)
        y = add("Unsqueeze", f"{number}/y", add("Range", f"{number}/rows", zero, height, one), ones)
        cells = [
            add("Reshape", f"{number}/{axis}s", add("Expand", f"{number}/{axis}-grid", line, shape), flat)
            for axis, line in (("x", x), ("y", y))
        ]
        grids.append(add("Concat", f"{number}/grid", *cells, axis=1))
        count = add("Mul", f"{number}/count", height, width)
        span = add(
            "Concat", f"{number}/span", ones, add("Unsqueeze", f"{number}/counts", count, "anchors.axis"), axis=0
        )
        pixels = constant(f"anchors.stride.{number}", np.array([[stride]], np.float32))
        strides.append(add("Expand", f"{number}/strides", pixels, span))
    constant("anchors.axis", np.array([0], np.int64))
    whole = add("Cast", "cells", add("Concat", "grids", *grids, axis=2), to=1)  # 1 is FLOAT
    return nodes, add("Add", "centres", whole, half), add("Concat", "strides", *strides, axis=1)


def _set_metadata(model: Any, values: dict[str, str]) -> None:
    """Set entries of the file's metadata, keeping the others."""
    kept = {entry.key: entry.value for entry in model.metadata_props} | values
    del model.metadata_props[:]
    for key, value in kept.items():
        model.metadata_props.add(key=key, value=value)
