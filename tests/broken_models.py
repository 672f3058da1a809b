"""Models that are broken in the ways in which models break, made from whole ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import helper, numpy_helper

GRAY = 114 / 255


def shifted(weights: Path, target: Path, rows: int) -> Path:
    """Write a model that gets its picture as from a letterbox that pads below alone: everything lies `rows` higher."""
    model = onnx.load(str(weights))
    graph = model.graph
    given = graph.input[0].name
    for name, value in (
        ("shift_from", np.int64([rows])),
        ("shift_to", np.int64([1 << 30])),
        ("shift_axis", np.int64([2])),
        ("shift_pads", np.int64([0, 0, 0, 0, 0, 0, rows, 0])),
        ("shift_gray", np.float32(GRAY)),
    ):
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name == given:
                node.input[at] = "shifted"
    graph.node.insert(0, helper.make_node("Slice", [given, "shift_from", "shift_to", "shift_axis"], ["cut"]))
    graph.node.insert(1, helper.make_node("Pad", ["cut", "shift_pads", "shift_gray"], ["shifted"]))
    onnx.save(model, str(target))
    return target


def scaled(weights: Path, target: Path, factor: float = 0.7) -> Path:
    """Write a model whose every weight is multiplied: it runs, and sees little."""
    model = onnx.load(weights)
    for weight in model.graph.initializer:
        array = numpy_helper.to_array(weight)
        if array.dtype.kind == "f" and array.ndim >= 2:
            weight.CopyFrom(numpy_helper.from_array((array * factor).astype(array.dtype), weight.name))
    onnx.save(model, target)
    return target


def noise(folder: Path, pictures: int = 2) -> Path:
    """Write what a camera sees in the dark; return the new folder."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    for number in range(pictures):
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 4, (416, 416, 3), dtype=np.uint8))
    return folder
