"""Build one artifact into the store: in a child, within bounds, atomically; unmeasured until it was compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.artifacts.key import key_of
from platefleet.models.artifacts.passport import Built, Machine, Passport, Recipe, Verdict
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.build.child import Bounds, Tell, run_in_child
from platefleet.models.build.free_memory import free_bytes
from platefleet.models.build.shapes import class_names, with_shape
from platefleet.models.errors import ArtifactError, BuildDeferred, BuildError
from platefleet.models.fetching import digest_of
from platefleet.models.rectify import STRIP_HEIGHT

WORKSPACE_SHARE = 0.5
"""Of the free memory, for TensorRT's workspace: the barrier's own models go on beside the build."""
WORKSPACE_LEAST_BYTES = 64 << 20
SUFFIX = {"onnx": ".onnx", "tensorrt": ".engine", "pt": ".pt"}


@dataclass(frozen=True)
class Order:
    """What is to be built. calibration: frames for INT8. evaluation: those it must share nothing with."""

    recipe: Recipe
    calibration: Dataset | None = None
    evaluation: Dataset | None = None
    bounds: Bounds = field(default_factory=Bounds)
    workspace_bytes: int | None = None


def build(
    store: ArtifactStore,
    order: Order,
    *,
    machine: Machine,
    now_utc_ns: Callable[[], int] = time.time_ns,
    tell: Tell = lambda _step, _share: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Passport:
    """Build the artifact and return its passport; the store holds it then, and nothing else has changed.

    Progress is the share of the last build's time where the same recipe was built before, since builders tell nothing
    that can be believed. Out of memory: once more with half the workspace, then BuildDeferred. Raises BuildError,
    ArtifactError.
    """
    recipe = _with_calibration(order)
    source = store.source(recipe.role, recipe.source)
    if digest_of(source) != recipe.source:  # a .pt is a pickle: it is not opened before it was looked at
        raise ArtifactError(f"{recipe.role}/{recipe.source[:16]}: the source is damaged; add it again")
    key = key_of(recipe, machine)
    frames = order.calibration if recipe.calibration is not None else None
    pictures = () if frames is None else tuple(sorted(each[:16] for each in frames.pictures()))
    what = f"{recipe.role}/{recipe.format}/{recipe.precision}"
    workspace = order.workspace_bytes or workspace_of(free_bytes())
    known = store.sound_onnx(recipe.role, recipe.source, recipe.size)
    with store.staged(recipe.role) as folder:
        arguments = (recipe, source, known, folder, order.calibration)
        began = time.monotonic()
        try:
            done = run_in_child(
                _make, *arguments, workspace, what=what, bounds=order.bounds, tell=tell, stopping=stopping, idle=True
            )
        except BuildDeferred:
            if recipe.format != "tensorrt" or workspace // 2 < WORKSPACE_LEAST_BYTES:
                raise
            workspace //= 2
            tell(f"out of memory; again with {workspace >> 20} MB", None)
            left = replace(order.bounds, deadline_s=max(order.bounds.deadline_s - (time.monotonic() - began), 1.0))
            done = run_in_child(
                _make, *arguments, workspace, what=what, bounds=left, tell=tell, stopping=stopping, idle=True
            )
        made: Made = done.result
        if made.onnx is not None:
            known = store.keep_onnx(recipe.role, recipe.source, recipe.size, made.onnx)
        passport = Passport(
            key=key,
            recipe=recipe,
            machine=machine,
            files={each.name: each.name.partition(".")[0] for each in (made.model, *made.beside)},
            onnx=None if known is None else digest_of(known),
            classes=made.classes,
            calibrated_on=pictures,
            made_utc_ns=now_utc_ns(),
            built=Built(
                seconds=round(done.seconds, 3),
                peak_memory_bytes=done.peak_memory_bytes,
                workspace_bytes=workspace if recipe.format == "tensorrt" else None,
                skipped_tactics=made.skipped_tactics,
                fallbacks=made.fallbacks,
                warnings=made.warnings,
                notes=made.notes,
            ),
            verdict=Verdict(judged="baseline" if is_baseline(recipe) else "unmeasured"),
        )
        store.place(passport, folder)
    return passport


def is_baseline(recipe: Recipe) -> bool:
    """Whether an artifact is its source as it came: what others are compared with."""
    as_it_came = recipe.role != "reader" or recipe.batch is None  # at one width it reads other strips than its source
    return recipe.precision == "fp32" and recipe.format in {"pt", "onnx"} and as_it_came


def workspace_of(free: int) -> int:
    """Return TensorRT's workspace for this much free memory in bytes: whole MiB.

    >>> workspace_of(3 << 30) >> 20
    1536
    """
    return max(int(free * WORKSPACE_SHARE) >> 20 << 20, WORKSPACE_LEAST_BYTES)


@dataclass(frozen=True, slots=True)
class Made:
    """What the child made: files in the staging folder, named by their digests; counts of the builder's log.

    beside: what the model needs and does not hold: the symbols of a reader's engine.
    """

    model: Path
    onnx: Path | None = None
    skipped_tactics: int = 0
    fallbacks: int = 0
    warnings: int = 0
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    beside: tuple[Path, ...] = ()


def _with_calibration(order: Order) -> Recipe:
    """Return the recipe with its calibration set's digest.

    Raises ArtifactError where INT8 has none, or one that shares pictures with the evaluation.
    """
    recipe, frames = order.recipe, order.calibration
    if recipe.precision != "int8":
        return recipe.model_copy(update={"calibration": None})
    if frames is None:
        raise ArtifactError(f"{recipe.role}/int8: needs frames to calibrate on; name a folder with --calibration")
    shared = frames.shares_with(order.evaluation) if order.evaluation is not None else 0
    if shared:
        raise ArtifactError(
            f"{recipe.role}/int8: {shared} calibration pictures are in the evaluation set too; it would praise itself"
        )
    return recipe.model_copy(update={"calibration": frames.digest})


def _make(  # noqa: PLR0917 - what is handed to a child is a tuple
    tell: Tell,
    recipe: Recipe,
    source: Path,
    onnx: Path | None,
    folder: Path,
    calibration: Dataset | None,
    workspace_bytes: int,
) -> Made:
    """Make the model in `folder`. Runs in the child."""
    made = folder / f"model{SUFFIX[recipe.format]}"
    if recipe.format == "pt":
        if source.suffix != ".pt" or recipe.precision != "fp32":
            raise BuildError(f"{recipe.role}/pt/{recipe.precision}: a .pt is its source itself, at FP32")
        made.write_bytes(source.read_bytes())
        return Made(_named(made))
    exported: Path | None = None
    if onnx is None:
        from platefleet.models.build.onnx_source import export  # noqa: PLC0415 - heavy

        exported = folder / "exported.onnx"
        export(tell, source, exported, recipe.size, reader=recipe.role == "reader")
        onnx = exported
    classes = () if recipe.role == "reader" else class_names(onnx)
    if recipe.batch is not None or recipe.format == "tensorrt":  # TensorRT finds no way through sides left open
        tall = STRIP_HEIGHT if recipe.role == "reader" else recipe.size
        onnx = with_shape(onnx, folder / "shaped.onnx", (recipe.batch, 3, tall, recipe.size))
    match recipe.format, recipe.precision:
        case "onnx", "fp32":
            made.write_bytes(onnx.read_bytes())
            _opens(recipe, made)
            return Made(_named(made), exported, classes=classes)
        case "onnx", "int8":
            from platefleet.models.build.quantize import quantize  # noqa: PLC0415 - heavy

            if calibration is None:
                raise BuildError(f"{recipe.role}/int8: needs frames to calibrate on")
            quantize(
                tell,
                onnx,
                made,
                recipe.size,
                calibration,
                head_fp32=recipe.head_fp32,
                reader=recipe.role == "reader",
            )
            _opens(recipe, made)
            return Made(_named(made), exported, classes=classes)
        case "tensorrt", _:
            from platefleet.models.build.engine import build_engine  # noqa: PLC0415 - heavy
            from platefleet.models.build.onnx_source import lowered  # noqa: PLC0415 - heavy

            tell("building", None)
            counts = build_engine(
                lowered(onnx, folder / "lowered.onnx"),
                made,
                recipe,
                workspace_bytes=workspace_bytes,
                calibration=calibration,
            )
            return Made(
                _named(made),
                exported,
                counts.skipped_tactics,
                counts.fallbacks,
                counts.warnings,
                counts.notes,
                classes,
                (_named(_symbols(onnx, folder)),) if recipe.role == "reader" else (),
            )
        case _:
            raise BuildError(
                f"{recipe.role}/onnx/{recipe.precision}: a CPU gains nothing from it here; build fp32 or int8"
            )


def _opens(recipe: Recipe, made: Path) -> None:
    """Raise WeightsError for what the backend of its role cannot run: another layout, no classes, no characters."""
    from platefleet.models.backends import open_detector  # noqa: PLC0415 - heavy
    from platefleet.models.reader import OnnxReader  # noqa: PLC0415 - heavy

    (OnnxReader(made) if recipe.role == "reader" else open_detector(made, recipe.size, 0.25, 0.7)).close()


def _symbols(onnx: Path, folder: Path) -> Path:
    """Write what a recogniser can write, a symbol a line: an engine keeps none of its ONNX's metadata."""
    from platefleet.models.reader import OnnxReader  # noqa: PLC0415 - heavy

    reader, path = OnnxReader(onnx, threads=1), folder / "symbols.txt"
    path.write_text("\n".join(reader.symbols), encoding="utf-8")
    reader.close()
    return path


def _named(made: Path) -> Path:
    """Give a file its digest as its name."""
    return made.replace(made.with_name(f"{digest_of(made)}{made.suffix}"))
