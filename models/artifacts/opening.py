"""From a passport to something that runs: digest, then a plan's header, then a run in a child, and only then here."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.passport import Machine, Opening, Passport
from platefleet.models.artifacts.plan_header import HEAD_BYTES, check_header, read_header
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.artifacts.warm import warm as warm_in_child
from platefleet.models.backends import open_detector
from platefleet.models.backends.digest import check_digest
from platefleet.models.ctc import ALPHABET, MOST_CHARACTERS
from platefleet.models.errors import ArtifactError, PlanMismatch, WeightsError
from platefleet.models.ports import Detector, Reader

Warm = Callable[[Passport, Path], Opening | None]
"""Runs an artifact once where it can harm nobody, and returns what opening it took. Raises ArtifactError."""


def checked(
    store: ArtifactStore, passport: Passport, *, here: Callable[[], Machine] = machine, warm: Warm = warm_in_child
) -> Path:
    """Return the path of an artifact's model after all that can be known without loading it into this process.

    What opening it took is noted in its passport.
    Raises ArtifactError for a file that is damaged or one that crashes its child, PlanMismatch for an engine of another
    TensorRT or another GPU.
    """
    model = store.model(passport)
    if passport.recipe.format == "tensorrt":
        _fits(passport, model, here())
    seen = warm(passport, model)
    if seen is not None:
        with contextlib.suppress(ArtifactError):  # a note for the next time; a store that may only be read keeps none
            store.update(passport.recipe.role, passport.key, lambda kept: kept.model_copy(update={"opening": seen}))
    return model


def open_artifact(
    store: ArtifactStore,
    passport: Passport,
    *,
    confidence: float,
    iou: float,
    classes: Sequence[int] | None = None,
    threads: int | None = None,
    warm: Warm = warm_in_child,
) -> Detector:
    """Open a detector. Arguments are those of `open_detector`, errors those of `checked` and its."""
    if passport.recipe.role == "reader":
        raise ArtifactError(f"{passport.title}: is a reader and finds nothing; name a vehicle or plate artifact")
    model = checked(store, passport, warm=warm)
    return opened_detector(passport, model, confidence=confidence, iou=iou, classes=classes, threads=threads)


def open_reader(
    store: ArtifactStore,
    passport: Passport,
    *,
    alphabet: str = ALPHABET,
    most: int = MOST_CHARACTERS,
    threads: int | None = None,
    warm: Warm = warm_in_child,
) -> Reader:
    """Open a reader. Arguments are those of `OnnxReader`, errors those of `checked` and its."""
    if passport.recipe.role != "reader":
        raise ArtifactError(f"{passport.title}: is a detector and reads nothing; name a reader's artifact")
    return opened_reader(passport, checked(store, passport, warm=warm), alphabet=alphabet, most=most, threads=threads)


def unwarmed(_: Passport, __: Path) -> None:
    """Pass an artifact that this process has just built or run: no child is started for it."""


def opened_detector(
    passport: Passport,
    model: Path,
    *,
    confidence: float,
    iou: float,
    classes: Sequence[int] | None = None,
    threads: int | None = None,
) -> Detector:
    """Open a model that was checked. The backend checks the digest again, on the very bytes that it loads."""
    more: dict[str, Any] = {"names": passport.classes} if passport.recipe.format == "tensorrt" else {}
    return open_detector(
        model,
        passport.recipe.size,
        confidence,
        iou,
        classes=classes,
        sha256=passport.files[passport.model],
        threads=threads,
        **more,
    )


def opened_reader(
    passport: Passport,
    model: Path,
    *,
    alphabet: str = ALPHABET,
    most: int = MOST_CHARACTERS,
    threads: int | None = None,
) -> Reader:
    """Open a reader's model that was checked."""
    from platefleet.models.reader import OnnxReader  # noqa: PLC0415 - an extra, loaded when used

    digest = passport.files[passport.model]
    match passport.recipe.format:
        case "onnx":
            return OnnxReader(model, alphabet=alphabet, most=most, threads=threads, sha256=digest)
        case "tensorrt":
            from platefleet.models.backends.tensorrt_reader import TensorrtReader  # noqa: PLC0415 - an extra

            symbols = symbols_beside(passport, model)
            return TensorrtReader(model, symbols=symbols, sha256=digest, alphabet=alphabet, most=most)
        case other:
            raise ArtifactError(f"{passport.title}: readers run from ONNX or TensorRT, not {other}; build one of these")


def symbols_beside(passport: Passport, model: Path) -> tuple[str, ...]:
    """Return the symbols that lie beside a reader's engine. Raises ArtifactError if they are not the passport's."""
    names = [name for name in passport.files if name != passport.model]
    if len(names) != 1:
        raise ArtifactError(f"{passport.title}: has no list of symbols beside it; build it again")
    try:
        content = model.with_name(names[0]).read_bytes()
        check_digest(content, passport.files[names[0]], model.with_name(names[0]))
    except (OSError, WeightsError) as error:
        raise ArtifactError(f"{passport.title}: its list of symbols is damaged; build it again") from error
    return tuple(content.decode().split("\n"))


def _fits(passport: Passport, model: Path, here: Machine) -> None:
    """Raise PlanMismatch unless an engine belongs to this machine's TensorRT and GPU."""
    where = passport.title
    if here.tensorrt is None:
        raise PlanMismatch(f"{where}: TensorRT is not installed on this device; activate an onnx artifact")
    try:
        with model.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise ArtifactError(f"{model}: cannot be read ({error.strerror}); check the disk") from error
    check_header(read_header(head, where), here.tensorrt, where)
    theirs = (passport.machine.gpu, passport.machine.compute_capability)
    ours = (here.gpu, here.compute_capability)
    if theirs != ours:
        told = [" ".join(part or "unknown" for part in each) for each in (theirs, ours)]
        raise PlanMismatch(f"{where}: built for {told[0]}, this device has {told[1]}; build it again")
