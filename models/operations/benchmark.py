"""`benchmark`: a role's artifacts side by side, what each costs and what it finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.artifacts.passport import Role
from platefleet.models.build.child import Tell
from platefleet.models.operations.child import carried_out
from platefleet.models.operations.port import Arguments, Host, Job, Operation, Result, Step, keeps_artifacts

DEADLINE_S = 3600.0
FRAMES_MOST = 24
"""Full HD pictures that are held in memory at once."""
MEMORY_BYTES = 900 << 20
MOST_BYTES = 80 * 1024
LEFT_OUT_MOST = 64


class Benchmark(Arguments):
    """Which role, how many passes of each artifact. keys: only these, by how they begin; none: all of the role."""

    role: Role
    rounds: Annotated[int, Field(ge=3, le=1000)] = 30
    keys: Annotated[tuple[str, ...], Field(max_length=32)] = ()
    anyhow: bool = False


class Benchmarked(Result):
    """A row for each artifact, its accuracy in it; what was left out and why; the machine it ran on."""

    rows: tuple[dict[str, Any], ...]
    left_out: tuple[str, ...] = ()
    machine: dict[str, Any] = Field(default_factory=dict)


def run(arguments: Benchmark, host: Host, job: Job) -> Benchmarked:
    """Measure them, in a child."""
    job.step("preparing")
    frames, machine = host.frames("evaluation"), host.machine()
    job.step("measuring")
    plain = carried_out(
        _bench,
        host.store.root,
        arguments,
        frames,
        what=f"benchmark of {arguments.role}",
        job=job,
        deadline_s=DEADLINE_S,
        idle=False,  # what the processor has left would be measured
    )
    rows, left_out = within(plain["rows"], plain["left_out"])
    return Benchmarked(rows=rows, left_out=left_out, machine=machine.model_dump(exclude_none=True))


def within(rows: list[dict[str, Any]], left_out: list[str]) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """Return as many rows as a status carries; those beyond are named in what was left out."""
    kept, said, size = [], [each[:200] for each in left_out[:LEFT_OUT_MOST]], 0
    for row in rows:
        size += len(json.dumps(row))
        if size <= MOST_BYTES:
            kept.append(row)
        else:
            said.append(f"{row['name']}: does not fit into a status; name it in `keys`"[:200])
    return tuple(kept), tuple(said)


def _bench(tell: Tell, root: Path, arguments: Benchmark, frames: Dataset) -> dict[str, Any]:
    """Run in the child."""
    from platefleet.models.artifacts.opening import unwarmed  # noqa: PLC0415 - in the child alone
    from platefleet.models.artifacts.store import ArtifactStore  # noqa: PLC0415
    from platefleet.models.bench.artifacts import bench, plain  # noqa: PLC0415 - heavy
    from platefleet.models.bench.runners import pictures  # noqa: PLC0415

    store = ArtifactStore(root)
    passports = [
        each for each in store.passports(arguments.role) if not arguments.keys or each.key.startswith(arguments.keys)
    ]
    shown = pictures(store, arguments.role, frames, FRAMES_MOST, tell)
    found = plain(bench(store, passports, shown, rounds=arguments.rounds, tell=tell, warm=unwarmed))
    told: dict[str, Any] = json.loads(json.dumps(found))  # a wire's map has no numbers as keys
    return told


def _lines(result: Benchmarked) -> list[str]:
    rows = [
        f"{row['name']}: p50 {row['total']['p50']:.1f} ms, p99 {row['total']['p99']:.1f} ms, {row['verdict']}"
        for row in result.rows
    ]
    return [*rows, *result.left_out]


OPERATION = Operation(
    name="benchmark",
    says="Measure a role's artifacts side by side: what each costs, and what it finds.",
    arguments=Benchmark,
    result=Benchmarked,
    steps=(Step("preparing", 600.0, 600.0), Step("measuring", DEADLINE_S, 900.0)),
    require=keeps_artifacts,
    run=run,
    role="operator",
    slot="heavy",
    in_window=True,
    memory_bytes=lambda _arguments: MEMORY_BYTES,
    lines=_lines,
)
