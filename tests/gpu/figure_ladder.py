"""The FP16 ladder on the GPU: a plate model that FP16 spoils in one place is rejected, mended there, and judged again.

    python -m tests.gpu.figure_ladder MODELS OUT

The model finds exactly what plate-416.onnx finds, but its scores for small plates pass through numbers around 60,000,
where FP16 has steps of 32: a plate whose score is not extreme is as good as none.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from platefleet.models.acceptance.climb import climb
from platefleet.models.artifacts.machine import machine
from platefleet.models.build.child import Bounds
from platefleet.models.build.run import Order, build
from tests.gpu.barrier import saved
from tests.gpu.engine_store import Site, aloud

SPOILT = "/model.22/cv3.0/cv3.0.2/Conv"
FAR = 60000.0


def fragile(source: Path, target: Path) -> Path:
    """Write the model with one convolution's output lifted, cut off below zero where nothing is, and lowered again."""
    model = onnx.load(str(source))
    graph = model.graph
    at, conv = next((at, node) for at, node in enumerate(graph.node) if node.name == SPOILT)
    (bias,) = (numpy_helper.to_array(each) for each in graph.initializer if each.name == conv.input[2])
    for name, value in (("lifted_bias", np.full_like(bias, FAR)), ("far_away", np.float32([FAR]))):
        graph.initializer.append(numpy_helper.from_array(value, name))
    graph.initializer.append(numpy_helper.from_array(bias.reshape(1, -1, 1, 1), "own_bias"))
    out = conv.output[0]
    conv.input[2], conv.output[0] = "lifted_bias", "lifted"
    graph.node.insert(at + 1, helper.make_node("Relu", ["lifted"], ["above_zero"], name="above"))
    graph.node.insert(at + 2, helper.make_node("Sub", ["above_zero", "far_away"], ["near"], name="below"))
    graph.node.insert(at + 3, helper.make_node("Add", ["near", "own_bias"], [out], name="beside"))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(target))
    return target


def main(models: str, out: str) -> int:
    site = Site.at(Path(models))
    source = site.store.add_source("plate", fragile(site.models / "plate-416.onnx", Path(out, "fragile.onnx")))
    recipe = site.recipe("plate-fp16").model_copy(update={"source": source})
    began, bounds, tell = time.monotonic(), Bounds(deadline_s=200), aloud("fragile plate-fp16")
    passport = build(site.store, Order(recipe, bounds=bounds), machine=machine(), tell=tell)
    climbed = climb(site.store, passport, site.evaluation("plate"), threshold=0.25, bounds=bounds, tell=tell)
    last = climbed.judged.passport
    said = {
        "spoilt": [SPOILT, "above", "below", "beside"],
        "rungs": climbed.rungs,
        "why": climbed.why,
        "kept_in_fp32": last.recipe.fp32_layers,
        "build_s": [
            round(each.built.seconds, 1)
            for each in site.store.passports("plate")
            if each.recipe.source == source and each.recipe.format == "tensorrt" and each.built is not None
        ],
        "seconds": round(time.monotonic() - began, 1),
    }
    saved(Path(out, "figure_ladder.json"), json.dumps(said, indent=1))
    return int(last.verdict.judged == "rejected" or SPOILT not in last.recipe.fp32_layers)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
