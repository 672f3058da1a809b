"""`build`: an artifact from a source the device has, measured against what it would replace."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError

from platefleet.models.artifacts.passport import Format, Precision, Recipe, Role
from platefleet.models.errors import ArtifactError
from platefleet.models.operations.child import bounds_of
from platefleet.models.operations.evaluate import measured
from platefleet.models.operations.found import told
from platefleet.models.operations.port import (
    Arguments,
    Host,
    Job,
    Operation,
    Result,
    Step,
    StoppedEarly,
    keeps_artifacts,
)
from platefleet.protocol.errors import PlatefleetError

DEADLINE_S = 3 * 3600.0
SIZES: dict[Role, int] = {"vehicle": 640, "plate": 416, "reader": 320}
MEMORY_BYTES: dict[Format, int] = {"onnx": 800 << 20, "pt": 400 << 20, "tensorrt": 1600 << 20}
"""What a build takes beside the barrier's own work: seen on builds of these models, with room."""


class Build(Arguments):
    """What is built. source: the digest's beginning, where the device has several. evaluate: measure it right away.

    anyhow: do not wait for the window and for quiet.
    """

    role: Role
    format: Format = "tensorrt"
    precision: Precision = "fp16"
    size: Annotated[int, Field(ge=32, le=4096, multiple_of=32)] | None = None
    batch: Annotated[int, Field(ge=1, le=64)] | None = None
    source: Annotated[str, Field(pattern="^[0-9a-f]{0,64}$")] = ""
    level: Annotated[int, Field(ge=0, le=5)] | None = None
    evaluate: bool = True
    anyhow: bool = False


class Built(Result):
    """The artifact's passport, and what acceptance said beside it."""

    passport: dict[str, Any]
    lines: tuple[str, ...] = ()


def run(arguments: Build, host: Host, job: Job) -> Built:
    """Build it. One that exists already is measured again, not built twice."""
    from platefleet.models.artifacts.key import key_of  # noqa: PLC0415 - heavy
    from platefleet.models.build.run import Order, build  # noqa: PLC0415 - heavy

    job.step("preparing")
    store, machine = host.store, host.machine()
    recipe = recipe_of(arguments, host)
    order = Order(recipe, bounds=bounds_of(job, DEADLINE_S))
    if recipe.precision == "int8":
        frames = host.frames("calibration")
        recipe = recipe.model_copy(update={"calibration": frames.digest})
        order = Order(recipe, frames, host.frames("evaluation"), order.bounds)
    key = key_of(recipe, machine)
    known = next((each for each in store.passports(recipe.role) if each.key == key), None)
    if known is None:
        job.step("building")
        try:
            known = build(store, order, machine=machine, tell=job.tell, stopping=job.stopping)
        except PlatefleetError:
            if job.stopping():
                raise StoppedEarly("the build was stopped") from None
            raise
    lines: tuple[str, ...] = ()
    if arguments.evaluate and known.verdict.judged in {"unmeasured", "undecided", "baseline"}:
        job.step("evaluating")
        known, lines = measured(host, known, job, None)
    return Built(passport=told(known), lines=lines)


def recipe_of(arguments: Build, host: Host) -> Recipe:
    """Return what is to be built. Raises ArtifactError if the source is not clear or the choice makes no sense."""
    store, role = host.store, arguments.role
    sources = [path for path in store.sources(role) if path.stem.startswith(arguments.source)]
    if len(sources) != 1:
        raise ArtifactError(f"{role}: {len(sources)} sources fit; name one by its digest, or fetch one")
    try:
        return Recipe(
            role=role,
            source=sources[0].stem,
            format=arguments.format,
            precision=arguments.precision,
            size=arguments.size or SIZES[role],
            batch=arguments.batch,
            level=arguments.level,
            head_fp32=arguments.precision == "int8",
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise ArtifactError(f"{role}: {first['loc'][0]}: {first['msg']}") from error


def _lines(result: Built) -> list[str]:
    passport = result.passport
    recipe, verdict = passport["recipe"], passport["verdict"]
    name = f"{recipe['role']}/{recipe['format']}/{recipe['precision']}/{passport['key'][:8]}"
    return [f"{name}: {verdict['judged']}: {verdict.get('reason', '')}", *result.lines]


OPERATION = Operation(
    name="build",
    says="Build an artifact on the device and measure it against what it would replace.",
    arguments=Build,
    result=Built,
    steps=(
        Step("preparing", 600.0, 600.0),
        Step("building", DEADLINE_S, DEADLINE_S),
        Step("evaluating", DEADLINE_S, 1800.0),
    ),
    require=keeps_artifacts,
    run=run,
    slot="heavy",
    in_window=True,
    memory_bytes=lambda arguments: MEMORY_BYTES[arguments.format],
    lines=_lines,
)
