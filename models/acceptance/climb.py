"""Build an FP16 artifact, judge it, and where it loses too much build it again with what suffers most in FP32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from platefleet.models.acceptance.acceptance import Judged, accept, baseline_of
from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.acceptance.ladder import Rebuild, Sensitive, decide
from platefleet.models.acceptance.verdict import Limits, limits_for
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.opening import Warm
from platefleet.models.artifacts.passport import Passport, Recipe
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.artifacts.warm import warm as warm_in_child
from platefleet.models.build.child import Bounds, Tell, run_in_child
from platefleet.models.build.run import Order, build
from platefleet.models.build.sensitivity import sensitive_layers
from platefleet.models.errors import ArtifactError

Make = Callable[[Recipe], Passport]


@dataclass(frozen=True)
class Climbed:
    """Where a climb ended. judged: the last artifact's. rungs: what each was, and what came of it. why: of the end."""

    judged: Judged
    rungs: tuple[str, ...]
    why: str


def climb(
    store: ArtifactStore,
    passport: Passport,
    dataset: Dataset,
    *,
    threshold: float,
    limits: Limits | None = None,
    bounds: Bounds | None = None,
    worst: Path | None = None,
    tell: Tell = lambda _step, _share: None,
    stopping: Callable[[], bool] = lambda: False,
    warm: Warm = warm_in_child,
    make: Make | None = None,
) -> Climbed:
    """Judge an FP16 artifact; one that loses too much is built again, rung by rung, and what was built is judged.

    What runs is not touched. worst: as of `accept`, of the last one judged. make: builds a recipe; None builds in a
    child, within `bounds` each. Raises ArtifactError for an artifact of another precision, and what `accept` and
    `build` raise.
    """
    if passport.recipe.precision != "fp16":
        raise ArtifactError(f"{passport.title}: only FP16 has sensitive layers to keep in FP32; name an FP16 artifact")
    own, each_within, rungs = limits or limits_for("fp16"), bounds or Bounds(), list[str]()
    ranked: tuple[Sensitive, ...] | None = None

    def built(recipe: Recipe) -> Passport:
        return build(store, Order(recipe, bounds=each_within), machine=machine(), tell=tell, stopping=stopping)

    while True:
        judged = accept(
            store,
            passport,
            dataset,
            threshold=threshold,
            limits=own,
            worst=worst,
            tell=tell,
            stopping=stopping,
            warm=warm,
        )
        passport, verdict = judged.passport, judged.passport.verdict
        kept = len(passport.recipe.fp32_layers)
        rungs.append(f"{kept} layers in FP32: {verdict.judged}: {verdict.reason}")
        if ranked is None and isinstance(decide(verdict, own, _anything(), 0), Rebuild):
            ranked = _ranked(store, passport, dataset, each_within, tell, stopping)
        following = decide(verdict, own, ranked or (), len(rungs) - 1)
        if not isinstance(following, Rebuild):
            return Climbed(judged, tuple(rungs), following.why)
        tell(f"again with {len(following.fp32_layers)} layers in FP32", None)
        passport = (make or built)(passport.recipe.model_copy(update={"fp32_layers": following.fp32_layers}))


def _anything() -> tuple[Sensitive, ...]:
    """Return two groups that stand for any network's, to ask whether there is anything to climb for at all."""
    return Sensitive(("one",), 1.0), Sensitive(("other",), 0.0)


def _ranked(  # noqa: PLR0917 - what is handed on to a child and its parent
    store: ArtifactStore,
    passport: Passport,
    dataset: Dataset,
    bounds: Bounds,
    tell: Tell,
    stopping: Callable[[], bool],
) -> tuple[Sensitive, ...]:
    recipe = passport.recipe
    baseline_of(store, passport, tell)  # which keeps the source's ONNX, if it was not there
    onnx = store.sound_onnx(recipe.role, recipe.source, recipe.size)
    if onnx is None:
        source = store.source(recipe.role, recipe.source)
        if source.suffix != ".onnx":
            raise ArtifactError(f"{passport.title}: the ONNX that it was built from is gone; build it again")
        onnx = source
    # A few frames only: the child is not to open thousands.
    few = replace(dataset, paths=dataset.paths[:16], labels=None if dataset.labels is None else dataset.labels[:16])
    done = run_in_child(
        _in_child, onnx, recipe, few, what=passport.title, bounds=bounds, tell=tell, stopping=stopping, idle=True
    )
    ranked: tuple[Sensitive, ...] = done.result
    return ranked


def _in_child(tell: Tell, onnx: Path, recipe: Recipe, frames: Dataset) -> tuple[Sensitive, ...]:
    return sensitive_layers(tell, onnx, recipe, frames)
