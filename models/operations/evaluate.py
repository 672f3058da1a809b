"""`evaluate`: an artifact measured against its baseline on this device's frames, and judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.artifacts.passport import Passport, Role
from platefleet.models.build.child import Tell
from platefleet.models.operations.child import bounds_of, carried_out
from platefleet.models.operations.found import by_key, told
from platefleet.models.operations.port import Arguments, Host, Job, Operation, Result, Step, keeps_artifacts

DEADLINE_S = 2 * 3600.0
MEMORY_BYTES = 900 << 20


class Evaluate(Arguments):
    """Which artifact, by how its key begins. lost: the share that may be lost; not given: the precision's own limit."""

    role: Role
    key: Annotated[str, Field(pattern="^[0-9a-f]{4,32}$")]
    lost: Annotated[float, Field(ge=0.0001, le=0.5)] | None = None
    anyhow: bool = False


class Evaluated(Result):
    """The passport with its verdict, and sentences about what was lost."""

    passport: dict[str, Any]
    lines: tuple[str, ...] = ()


def run(arguments: Evaluate, host: Host, job: Job) -> Evaluated:
    """Measure it, in a child."""
    job.step("preparing")
    passport = by_key(host.store, arguments.role, arguments.key)
    job.step("evaluating")
    judged, lines = measured(host, passport, job, arguments.lost)
    return Evaluated(passport=told(judged), lines=lines)


def measured(host: Host, passport: Passport, job: Job, lost: float | None) -> tuple[Passport, tuple[str, ...]]:
    """Return the passport as acceptance left it, and its lines. The baseline is built first if there is none."""
    from platefleet.models.acceptance.acceptance import baseline_of  # noqa: PLC0415 - heavy

    role = passport.recipe.role
    frames = host.frames("evaluation")
    baseline_of(host.store, passport, job.tell, bounds=bounds_of(job, DEADLINE_S), stopping=job.stopping)
    threshold = host.threshold(role)
    return carried_out(
        _accept,
        host.store.root,
        passport,
        frames,
        threshold,
        lost,
        what=f"evaluation of {passport.title}",
        job=job,
        deadline_s=DEADLINE_S,
    )


def _accept(  # noqa: PLR0917 - what is handed to a child is a tuple
    tell: Tell, root: Path, passport: Passport, frames: Dataset, threshold: float, lost: float | None
) -> tuple[Passport, tuple[str, ...]]:
    """Run in the child, which is the warm run too: nothing is started beside it."""
    from dataclasses import replace  # noqa: PLC0415 - in the child alone

    from platefleet.models.acceptance.acceptance import accept  # noqa: PLC0415 - heavy
    from platefleet.models.acceptance.verdict import limits_for  # noqa: PLC0415
    from platefleet.models.artifacts.opening import unwarmed  # noqa: PLC0415
    from platefleet.models.artifacts.store import ArtifactStore  # noqa: PLC0415

    limits = limits_for(passport.recipe.precision)
    judged = accept(
        ArtifactStore(root),
        passport,
        frames,
        threshold=threshold,
        limits=limits if lost is None else replace(limits, lost=lost),
        tell=tell,
        warm=unwarmed,
    )
    return judged.passport, judged.lines


def _lines(result: Evaluated) -> list[str]:
    verdict = result.passport["verdict"]
    return [f"{verdict['judged']}: {verdict.get('reason', '')}", *result.lines]


OPERATION = Operation(
    name="evaluate",
    says="Measure an artifact against its baseline on the device's own frames, and judge it.",
    arguments=Evaluate,
    result=Evaluated,
    steps=(Step("preparing", 600.0, 600.0), Step("evaluating", DEADLINE_S, 1800.0)),
    require=keeps_artifacts,
    run=run,
    role="operator",
    slot="heavy",
    in_window=True,
    memory_bytes=lambda _arguments: MEMORY_BYTES,
    lines=_lines,
)
