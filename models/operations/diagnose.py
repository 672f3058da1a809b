"""`diagnose`: what a technician would look at first."""

from __future__ import annotations

import json
from typing import Any

from platefleet.models.operations.port import Arguments, Host, Job, Operation, Result, Step

MOST_BYTES = 96 * 1024


class Diagnose(Arguments):
    """Nothing to say."""


class Diagnosis(Result):
    """Plain values: health, problems, versions, clocks. cut: what did not fit, by name."""

    found: dict[str, Any]
    cut: tuple[str, ...] = ()


def run(_: Diagnose, host: Host, job: Job) -> Diagnosis:
    """Look, and send what fits."""
    job.step("looking")
    found, cut, left = {}, [], MOST_BYTES
    for name, value in host.diagnosis().items():
        size = len(json.dumps(value, default=str))
        if size <= left:
            found[name] = value
            left -= size
        else:
            cut.append(name)
    return Diagnosis(found=found, cut=tuple(cut))


OPERATION = Operation(
    name="diagnose",
    says="Tell what a technician would look at first: health, problems, versions, clocks.",
    arguments=Diagnose,
    result=Diagnosis,
    steps=(Step("looking", 60.0, 60.0),),
    run=run,
    role="operator",
    lines=lambda result: [f"{name}: {value}" for name, value in result.found.items()],
)
