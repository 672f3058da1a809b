"""Figure three: engines of a plate model that is broken in three ways, each rejected by name of the reason.

    python -m tests.gpu.figure_three MODELS OUT

Beside them the whole model's engine, judged on the same frames: what rejects the others does not reject it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from platefleet.models.acceptance.acceptance import accept
from platefleet.models.acceptance.dataset import Dataset, load_dataset
from platefleet.models.artifacts.key import key_of
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.passport import Passport, Recipe
from platefleet.models.build.child import Bounds
from platefleet.models.build.run import Order, build
from tests.artifact_stores import placed
from tests.broken_models import noise, scaled, shifted
from tests.gpu.barrier import saved
from tests.gpu.engine_store import DEADLINE_S, Site, aloud

THRESHOLD = 0.25
LETTERBOX = 2
"""A version of letterboxing that is not this program's: padded below alone."""
ROWS = 40
LOST = "plates lost, surely more than"


def made(site: Site, what: str, recipe: Recipe, calibration: Dataset | None = None) -> Passport:
    order = Order(recipe, calibration, None, Bounds(deadline_s=DEADLINE_S))
    return build(site.store, order, machine=machine(), tell=aloud(what))


def instead(site: Site, what: str, model: Path, recipe: Recipe) -> Passport:
    """Build an engine of a broken model, and put it where that of the whole one belongs."""
    source = site.store.add_source("plate", model)
    engine = made(site, what, recipe.model_copy(update={"source": source}))
    here = machine()
    return placed(site.store, recipe, site.store.model(engine), machine=here, key=key_of(recipe, here))


def broken(site: Site, out: Path) -> dict[str, Passport]:
    """Build the engines by name."""
    whole = site.models / "plate-416.onnx"
    fp16, int8 = site.recipe("plate-fp16"), site.recipe("plate-int8")
    of_others = fp16.model_copy(update={"batch": 4}), fp16.model_copy(update={"letterbox": LETTERBOX})
    return {
        "weights scaled by 0.7": instead(site, "scaled", scaled(whole, out / "scaled.onnx"), of_others[0]),
        "wrong letterbox": instead(site, "shifted", shifted(whole, out / "shifted.onnx", ROWS), of_others[1]),
        "INT8 calibrated on noise": made(site, "noise", int8, load_dataset(noise(out / "noise"))),
    }


def judged(site: Site, passport: Passport) -> dict[str, Any]:
    verdict = accept(site.store, passport, site.evaluation("plate"), threshold=THRESHOLD).passport.verdict
    return {"judged": verdict.judged, "reason": verdict.reason, **verdict.numbers}


def main(models: str, out: str) -> int:
    site = Site.at(Path(models))
    Path(out).mkdir(parents=True, exist_ok=True)
    said = {"whole, FP16": judged(site, site.built("plate-fp16", tell=aloud("whole")))}
    said |= {name: judged(site, passport) for name, passport in broken(site, Path(out)).items()}
    saved(Path(out, "figure_three.json"), json.dumps(said, indent=1))
    whole = said.pop("whole, FP16")
    named = all(each["judged"] == "rejected" and LOST in each["reason"] for each in said.values())
    return int(whole["judged"] == "rejected" or not named)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
