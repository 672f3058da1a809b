"""The FP16 ladder, climbed on the CPU: a network that FP16 spoils in one place is found out, and mended there alone."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from platefleet.models.acceptance.climb import climb
from platefleet.models.acceptance.dataset import Dataset, load_dataset
from platefleet.models.acceptance.ladder import RUNGS, Rebuild, Sensitive, Stay, decide, worst
from platefleet.models.acceptance.verdict import FP16, Limits
from platefleet.models.artifacts.opening import unwarmed
from platefleet.models.artifacts.passport import Passport, Recipe, Verdict
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.build.sensitivity import MASK, harm, sensitive_layers, with_rounding
from platefleet.models.errors import ArtifactError, BuildError
from tests.artifact_stores import placed
from tests.painted_lane import BLUE
from tests.painted_models import SIZE, painted_model

SPOILT = ("spoilt", "above", "below")
FAR = 30000.0
"""FP16 has steps of 16 there."""
ANY_SPEED = Limits(faster=0.0)
LOST = Verdict(judged="rejected", numbers={"cases": 100.0, "lost_at_least": 0.2})
SLOW = Verdict(judged="rejected", numbers={"cases": 100.0, "lost_at_least": 0.0})


def fragile_model(path: Path) -> Path:
    """Write a model that finds what is blue, by numbers so far from zero on their way that FP16 cannot hold them."""
    model = onnx.load(painted_model(path, 2, "license_plate"))
    graph = model.graph
    (signs,) = (numpy_helper.to_array(each) for each in graph.initializer if each.name == "signs")
    eye = np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)
    for name, value in (("eye", eye), ("weights", signs), ("bias", np.float32([FAR])), ("far_away", np.float32([FAR]))):
        graph.initializer.append(numpy_helper.from_array(value, name))
    rest = list(graph.node)[2:]  # after the channels' difference, which is made here
    del graph.node[:]
    graph.node.extend(
        [
            helper.make_node("Conv", ["images", "eye"], ["same"], name="harmless"),
            helper.make_node("Conv", ["same", "weights", "bias"], ["lifted"], name="spoilt"),
            helper.make_node("Relu", ["lifted"], ["above_zero"], name="above"),
            helper.make_node("Sub", ["above_zero", "far_away"], ["level"], name="below"),
            *rest,
        ]
    )
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
    return path


def as_fp16(source: Path, target: Path, fp32_layers: tuple[str, ...]) -> Path:
    """Write a model that rounds as FP16 does, but for these layers."""
    groups, model = with_rounding(source)
    rounded = np.array([not set(layers) <= set(fp32_layers) for layers in groups])
    model.graph.input.remove(next(each for each in model.graph.input if each.name == MASK))
    model.graph.initializer.append(numpy_helper.from_array(rounded, MASK))
    onnx.save(model, str(target))
    return target


@pytest.fixture
def frames(tmp_path: Path) -> Dataset:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(8):
        frame = np.full((SIZE, SIZE, 3), 90, np.uint8)
        x, y = 10 + 12 * number, 20 + 9 * number
        cv2.rectangle(frame, (x, y), (x + 39, y + 19), BLUE, cv2.FILLED)
        cv2.imwrite(str(folder / f"{number}.png"), frame)
        (folder / f"{number}.txt").write_text(f"0 {(x + 20) / SIZE} {(y + 10) / SIZE} {40 / SIZE} {20 / SIZE}\n")
    return load_dataset(folder)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store")


def recipe_of(store: ArtifactStore, path: Path) -> Recipe:
    source = store.add_source("plate", path)
    return Recipe(role="plate", source=source, format="onnx", precision="fp16", size=SIZE, batch=None)


def test_what_fp16_spoils_is_found_kept_in_fp32_and_the_artifact_finds_again_what_it_lost(
    store: ArtifactStore, frames: Dataset, tmp_path: Path
) -> None:
    source = fragile_model(tmp_path / "fragile.onnx")

    def make(recipe: Recipe) -> Passport:
        made.append(recipe.fp32_layers)
        return placed(store, recipe, as_fp16(source, tmp_path / f"{len(made)}.onnx", recipe.fp32_layers))

    made: list[tuple[str, ...]] = []
    first = make(recipe_of(store, source))
    climbed = climb(store, first, frames, threshold=0.25, limits=ANY_SPEED, warm=unwarmed, make=make)
    assert made == [(), SPOILT]
    assert [rung.partition(":")[0] for rung in climbed.rungs] == ["0 layers in FP32", "3 layers in FP32"]
    assert "8 of 8 plates lost" in climbed.rungs[0]
    assert climbed.judged.passport.verdict.judged == "undecided"  # eight plates prove nothing
    assert climbed.judged.passport.verdict.numbers["lost"] == 0
    assert store.passport("plate", first.key).verdict.judged == "rejected"


def test_a_climb_that_leads_nowhere_ends_after_its_rungs_and_changes_nothing(
    store: ArtifactStore, frames: Dataset, tmp_path: Path
) -> None:
    source = fragile_model(tmp_path / "fragile.onnx")
    recipe = recipe_of(store, source)

    def make(asked: Recipe) -> Passport:  # a builder that keeps to nothing that it is asked for
        made.append(asked.fp32_layers)
        return placed(store, asked, as_fp16(source, tmp_path / f"{len(made)}.onnx", ()))

    made: list[tuple[str, ...]] = []
    climbed = climb(store, make(recipe), frames, threshold=0.25, limits=ANY_SPEED, warm=unwarmed, make=make)
    assert climbed.why.startswith("no change")
    assert climbed.judged.passport.verdict.judged == "rejected"
    assert len(made) <= 1 + len(RUNGS)
    assert store.active("plate") is None


def test_only_fp16_climbs(store: ArtifactStore, frames: Dataset, tmp_path: Path) -> None:
    path = painted_model(tmp_path / "a.onnx", 2, "license_plate")
    other = placed(store, recipe_of(store, path).model_copy(update={"precision": "int8"}), path)
    with pytest.raises(ArtifactError, match="only FP16"):
        climb(store, other, frames, threshold=0.25)


def test_the_layers_that_fp16_spoils_come_first(store: ArtifactStore, frames: Dataset, tmp_path: Path) -> None:
    source = fragile_model(tmp_path / "fragile.onnx")
    told: list[str] = []
    ranked = sensitive_layers(lambda step, _: told.append(step), source, recipe_of(store, source), frames)
    assert [each.layers for each in ranked] == [SPOILT, ("harmless",)]
    assert ranked[0].harm > 100 * ranked[1].harm
    assert told == [f"looking for sensitive layers {at}/2" for at in (1, 2)]


def test_a_network_without_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="have no names"):
        with_rounding(painted_model(tmp_path / "a.onnx", 2, "license_plate"))


def test_what_overflows_does_the_greatest_harm() -> None:
    exact = np.ones((1, 2, 3), np.float32)
    assert harm(exact, np.full_like(exact, np.nan)) > harm(exact, exact * 5) > harm(exact, exact * 1.01) > 0


RANKED = tuple(Sensitive((f"layer {at}",), 2.0**-at) for at in range(12))


def test_every_rung_keeps_more_in_fp32_than_the_one_before() -> None:
    kept = [worst(RANKED, rung) for rung in range(len(RUNGS))]
    for fewer, more in pairwise(kept):
        assert set(fewer) < set(more)


@pytest.mark.parametrize(
    ("verdict", "rung", "why"),
    [
        (LOST, len(RUNGS), "no change after 3 rungs"),
        (SLOW, 0, "too slow"),
        (Verdict(judged="undecided"), 0, "undecided"),
        (Verdict(judged="accepted"), 2, "accepted"),
    ],
)
def test_nothing_more_is_built_once_it_would_not_help(verdict: Verdict, rung: int, why: str) -> None:
    following = decide(verdict, FP16, RANKED, rung)
    assert isinstance(following, Stay)
    assert why in following.why


def test_more_boxes_where_there_is_nothing_are_climbed_for_too() -> None:
    numbers = {"cases": 100.0, "false_before": 1.0, "false_now": 60.0}
    assert isinstance(decide(Verdict(judged="rejected", numbers=numbers), FP16, RANKED, 0), Rebuild)


def test_a_network_whose_every_layer_suffers_is_not_made_fp32_in_the_name_of_fp16() -> None:
    following = decide(LOST, FP16, RANKED[:1], 0)
    assert isinstance(following, Stay)
    assert "FP32 throughout" in following.why
