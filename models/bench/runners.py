"""What is measured side by side: artifacts of any role behind one call, and whatever they are compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import psutil

from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.acceptance.subjects import plates_in
from platefleet.models.artifacts.opening import Warm, open_artifact, open_reader
from platefleet.models.artifacts.passport import Passport, Role
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.backends.stages import StageMs
from platefleet.models.build.child import Tell
from platefleet.models.detections import Boxes, Frame, Region
from platefleet.models.pipeline import OVERLAP, PLATE_CONFIDENCE

NOTHING = np.zeros((0, 4), np.float32)
TOLD = frozenset({"map_50_95", "map_50", "recall", "lost_at_most", "labelled", "read_right", "texts_changed"})
"""Of a verdict's numbers, those that stand beside a row."""


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """A picture to look at. boxes: (n, 4) float32, the plates in it, for a reader; n is then at least 1."""

    frame: Frame
    boxes: Boxes = field(default_factory=lambda: NOTHING)


@dataclass
class Runner:
    """What is measured. run: takes a picture and how often it, or its first plate, is given at once.

    spins: its threads wait by spinning.
    """

    name: str
    key: str
    run: Callable[[Given, int], object]
    stages: Callable[[], StageMs] | None = None
    batches: tuple[int, ...] = (1,)
    spins: bool = False
    memory_mb: float | None = None
    verdict: str = ""
    accuracy: dict[str, float] = field(default_factory=dict)
    warm_ms: list[float] = field(default_factory=list)
    total_ms: list[float] = field(default_factory=list)
    stage_ms: list[StageMs] = field(default_factory=list)


@runtime_checkable
class TellsStages(Protocol):
    """A backend that knows how long its last call took for what."""

    @property
    def stage_ms(self) -> StageMs:
        """Of the last call."""
        ...


def pictures(
    store: ArtifactStore, role: Role, dataset: Dataset, most: int, tell: Tell = lambda _step, _share: None
) -> list[Given]:
    """Return the first `most` pictures of a set; for a reader those with plates, as `plates_in` has them."""
    if role != "reader":
        return [Given(frame) for _, frame in zip(range(most), dataset.frames(), strict=False)]
    boxes = plates_in(store, dataset, lambda done, of: tell("finding plates", done / max(of, 1))).boxes
    shown = ((frame, boxes[number]) for number, frame in enumerate(dataset.frames()) if number in boxes)
    return [Given(*each) for _, each in zip(range(most), shown, strict=False)]


def opened(store: ArtifactStore, passport: Passport, held: ExitStack, batches: Sequence[int], warm: Warm) -> Runner:
    """Open an artifact of any role, to be closed with `held`. Errors are those of `open_artifact`."""
    before = psutil.Process().memory_info().rss
    backend, run = _reads(store, passport, warm) if passport.recipe.role == "reader" else _finds(store, passport, warm)
    held.callback(backend.close)
    run(Given(np.zeros((480, 640, 3), np.uint8), np.array([[40, 40, 200, 80]], np.float32)), 1)
    gained = (psutil.Process().memory_info().rss - before) / (1 << 20)
    most = max(batches) if passport.recipe.role == "reader" else passport.recipe.batch or max(batches)
    return Runner(
        passport.title,
        passport.key,
        run,
        stages=(lambda: backend.stage_ms) if isinstance(backend, TellsStages) else None,
        batches=tuple(each for each in batches if each <= most),
        memory_mb=round(gained, 1),
        verdict=passport.verdict.judged,
        accuracy={name: value for name, value in passport.verdict.numbers.items() if name in TOLD},
    )


class _Closes(Protocol):
    def close(self) -> None: ...


def _finds(store: ArtifactStore, passport: Passport, warm: Warm) -> tuple[_Closes, Callable[[Given, int], object]]:
    detector = open_artifact(store, passport, confidence=PLATE_CONFIDENCE, iou=OVERLAP, warm=warm)
    return detector, lambda given, many: detector.detect(given.frame, [Region.whole(given.frame)] * many)


def _reads(store: ArtifactStore, passport: Passport, warm: Warm) -> tuple[_Closes, Callable[[Given, int], object]]:
    reader = open_reader(store, passport, warm=warm)
    return reader, lambda given, many: reader.read(given.frame, np.repeat(given.boxes[:1], many, axis=0))
