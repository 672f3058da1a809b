"""Real ONNX artifacts that cost nothing: each finds the rectangle around all pixels of one colour, as `FakeDetector`.

A small graph in YOLOv8's layout, one box: letterboxed RGB in, (1, 4 + classes, 1) out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from platefleet.models.artifacts.key import key_of
from platefleet.models.artifacts.passport import Machine, Passport, Recipe, Verdict
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.ctc import ALPHABET
from platefleet.models.fetching import sha256_of
from platefleet.models.rectify import STRIP_HEIGHT

SIZE = 160


def painted_model(
    path: Path,
    channel: int,
    name: str,
    *,
    confidence: float = 0.9,
    least_light: float = 0.0,
    fails_below: float = 0.0,
    least_level: float = 0.5,
) -> Path:
    """Write a model that finds what is bright in one channel (RGB) and dark in the others.

    least_light: finds nothing in a picture that is darker than this on average, 0-1; fails_below: fails on one.
    least_level: how much brighter than the others the channel has to be, 0-1.
    """
    signs = np.full((1, 3, 1, 1), -1.0, np.float32)
    signs[0, channel] = 1.0
    places = np.arange(SIZE, dtype=np.float32) + 0.5
    inits = {
        "signs": signs,
        "level_least": np.float32([least_level]),
        "columns": places.reshape(1, 1, 1, SIZE),
        "rows": places.reshape(1, 1, SIZE, 1),
        "far": np.float32([SIZE]),
        "confidence": np.float32([confidence]),
        "two": np.float32([2.0]),
        "shape": np.int64([1, 1, 1]),
        "dim": np.int64([1]),
        "least": np.float32([least_light]),
        "table": np.float32([1.0]),
        "floor": np.float32([fails_below]),
    }
    node = helper.make_node
    nodes = [
        node("Mul", ["images", "signs"], ["signed"]),
        node("ReduceSum", ["signed", "dim"], ["level"], keepdims=1),
        node("Greater", ["level", "level_least"], ["hit"]),
        node("Cast", ["hit"], ["mask"], to=TensorProto.FLOAT),
        node("ReduceMax", ["mask"], ["any4"], keepdims=0),
        node("ReduceMean", ["images"], ["light"], keepdims=0),
        node("Greater", ["light", "least"], ["lit"]),
        node("Cast", ["lit"], ["lit1"], to=TensorProto.FLOAT),
        # A place beyond the table, which the runtime refuses, where the picture is darker than the floor.
        node("Less", ["light", "floor"], ["dark"]),
        node("Cast", ["dark"], ["place"], to=TensorProto.INT64),
        node("Gather", ["table", "place"], ["one"]),
        node("Mul", ["lit1", "one"], ["allowed"]),
        node("Mul", ["any4", "allowed"], ["any"]),
        *_edges(node, "columns", "x"),
        *_edges(node, "rows", "y"),
        node("Mul", ["any", "confidence"], ["sure"]),
        *[node("Reshape", [each, "shape"], [f"{each}_3"]) for each in ("x_mid", "y_mid", "x_len", "y_len", "sure")],
        node("Concat", ["x_mid_3", "y_mid_3", "x_len_3", "y_len_3", "sure_3"], ["output0"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "painted",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 5, 1])],
        [numpy_helper.from_array(value, key) for key, value in inits.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, value in {"names": str({0: name}), "task": "detect", "imgsz": str([SIZE, SIZE])}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def _edges(node, places: str, axis: str):  # type: ignore[no-untyped-def]  # nodes of a library without types
    """The least and the largest place of the mask along an axis: their middle and the length between them."""
    return [
        node("Mul", ["mask", places], [f"{axis}_at"]),
        node("ReduceMax", [f"{axis}_at"], [f"{axis}_high"], keepdims=0),
        node("Sub", ["far", places], [f"{axis}_back"]),
        node("Mul", ["mask", f"{axis}_back"], [f"{axis}_back_at"]),
        node("ReduceMax", [f"{axis}_back_at"], [f"{axis}_far"], keepdims=0),
        node("Sub", ["far", f"{axis}_far"], [f"{axis}_low"]),
        node("Add", [f"{axis}_low", f"{axis}_high"], [f"{axis}_sum"]),
        node("Div", [f"{axis}_sum", "two"], [f"{axis}_mid"]),
        node("Sub", [f"{axis}_high", f"{axis}_low"], [f"{axis}_len"]),
    ]


def painted_reader(path: Path, text: str, *, confidence: float = 0.9, width: int = 96) -> Path:
    """Write a recogniser in PP-OCR's layout that reads `text` on whatever it is shown, by a network of three nodes."""
    shown = [step for character in text for step in (1 + ALPHABET.index(character), 0)]  # a blank after each
    steps = np.zeros((1, len(shown), 1 + len(ALPHABET)), np.float32)
    steps[0, np.arange(len(shown)), shown] = confidence
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["level"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["level", "nothing"], ["zero"]),
        helper.make_node("Add", ["steps", "zero"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "painted reader",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, STRIP_HEIGHT, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, list(steps.shape))],
        [numpy_helper.from_array(np.float32([0.0]), "nothing"), numpy_helper.from_array(steps, "steps")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    entry = model.metadata_props.add()
    entry.key, entry.value = "character", "\n".join(ALPHABET)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def as_artifact(
    store: ArtifactStore, role: str, path: Path, *, judged: str = "accepted", opset: int = 17, size: int = SIZE
) -> Passport:
    """Put a model into a store with a verdict. opset: makes another key of the same recipe."""
    with path.open("rb") as file:
        digest = sha256_of(file)
    recipe = Recipe.model_validate(
        {"role": role, "source": digest, "format": "onnx", "precision": "fp32", "size": size, "opset": opset}
    )
    machine = Machine(cpu="a test's")
    passport = Passport(
        key=key_of(recipe, machine),
        recipe=recipe,
        machine=machine,
        files={f"{digest}.onnx": digest},
        made_utc_ns=1,
        verdict=Verdict.model_validate({"judged": judged}),
    )
    with store.staged(recipe.role) as folder:
        (folder / f"{digest}.onnx").write_bytes(path.read_bytes())
        store.place(passport, folder)
    return passport
