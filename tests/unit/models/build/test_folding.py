"""What of an ONNX graph is written down, and what is left to whoever runs it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from platefleet.models.build.folding import folded

PICTURE = np.arange(2 * 3 * 4 * 4, dtype=np.float32).reshape(2, 3, 4, 4)
ONE, TWO = np.array(1, np.int64), np.array([2], np.int64)


def a_graph(nodes: list[Any], kind: int = TensorProto.INT64, **constants: Any) -> Any:
    """Return a model of pictures of 3x4x4 in any number, its shapes inferred."""
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 4, 4])
    out = helper.make_tensor_value_info("y", kind, None)
    values = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", [given], [out], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def said(model: Any) -> Any:
    onnx.checker.check_model(model, full_check=True)
    return ReferenceEvaluator(model).run(None, {"x": PICTURE})[0]


node = helper.make_node
BRANCH = helper.make_graph(
    [node("Add", ["sides", "sides"], ["of_branch"])],
    "branch",
    [],
    [helper.make_tensor_value_info("of_branch", TensorProto.INT64, [2])],
)
GRAPHS = {
    "sides behind the batch": ([node("Shape", ["x"], ["y"], start=2)], {}, 1),
    "sides counted from the end": ([node("Shape", ["x"], ["y"], start=-2, end=-1)], {}, 1),
    "the batch, which is open": ([node("Shape", ["x"], ["y"])], {}, 0),
    "what follows from sides and constants": (
        [node("Shape", ["x"], ["s"], start=2), node("Gather", ["s", "one"], ["h"]), node("Add", ["h", "one"], ["y"])],
        {"one": ONE},
        3,
    ),
    "constants alone, such as weights": ([node("Add", ["one", "one"], ["y"])], {"one": ONE}, 0),
    "a tensor whose number of sides nobody knows": (
        [
            node("Shape", ["x"], ["all"]),
            node("Reshape", ["x", "all"], ["again"]),
            node("Reshape", ["again", "all"], ["unknown"]),
            node("Shape", ["unknown"], ["y"], start=1),
        ],
        {},
        0,
    ),
    "a name that only a branch uses": (
        [
            node("Shape", ["x"], ["sides"], start=2),
            node("ReduceMax", ["x"], ["most"], keepdims=0),
            node("Cast", ["most"], ["any"], to=TensorProto.BOOL),
            node("If", ["any"], ["y"], then_branch=BRANCH, else_branch=BRANCH),
        ],
        {},
        1,
    ),
    "an operator that is no arithmetic of shapes": (
        [node("Shape", ["x"], ["s"], start=2), node("NonZero", ["s"], ["y"])],
        {},
        1,
    ),
}


@pytest.mark.parametrize("what", GRAPHS)
def test_it_says_the_same_and_only_what_follows_from_sides_is_written_down(what: str) -> None:
    nodes, constants, count = GRAPHS[what]
    before, model = a_graph(nodes, **constants), a_graph(nodes, **constants)
    if what != "a tensor whose number of sides nobody knows":
        assert folded(model) == count
    else:
        folded(model)
    np.testing.assert_array_equal(said(model), said(before))


def test_an_optional_output_without_a_name_gives_nothing_a_value() -> None:
    nodes = [
        node("Shape", ["x"], ["s"], start=2),
        node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
        node("Dropout", ["f"], ["y", ""]),
    ]
    model = a_graph(nodes, TensorProto.FLOAT)
    assert folded(model) == 2
    assert all(each.name for each in model.graph.initializer)
    np.testing.assert_array_equal(said(model), [4, 4])
