"""`rollback`: let serve again what served before."""

from __future__ import annotations

from platefleet.models.artifacts.activation import Active, rolled_back
from platefleet.models.artifacts.passport import Role
from platefleet.models.errors import ArtifactError
from platefleet.models.operations.port import Arguments, Host, Job, Operation, Result, Step, keeps_artifacts

KEPT = "from"


class Rollback(Arguments):
    """Of which role."""

    role: Role


class RolledBack(Result):
    """What serves now, and what was given up."""

    role: Role
    key: str
    given_up: str


def run(arguments: Rollback, host: Host, job: Job) -> RolledBack:
    """Return to what ran before. A try that was cut off after it had done so has done it."""
    job.step("rolling back")
    role, store = arguments.role, host.store
    now, before = store.active(role), job.kept(KEPT)
    if now is None:
        raise ArtifactError(f"{role}: nothing is active; activate an artifact")
    if before is None:
        job.keep(KEPT, now.key)
        before = now.key

    def back(one: Active | None) -> Active:
        if one is None:
            raise ArtifactError(f"{role}: nothing is active; activate an artifact")
        return rolled_back(one) if one.key == before else one

    now = store.choose(role, back)
    return RolledBack(role=role, key=now.key, given_up=before)


def settle(arguments: Rollback, host: Host, job: Job) -> RolledBack | None:
    """Return that it was done, if what was given up does not serve any more."""
    before, now = job.kept(KEPT), host.store.active(arguments.role)
    if before is None or now is None or now.key == before:
        return None
    return RolledBack(role=arguments.role, key=now.key, given_up=before)


OPERATION = Operation(
    name="rollback",
    says="Let serve again what served before.",
    arguments=Rollback,
    result=RolledBack,
    steps=(Step("rolling back", 120.0, 120.0, no_return=True),),
    require=keeps_artifacts,
    run=run,
    settle=settle,
    versioned=True,
    lines=lambda result: [f"{result.role}: {result.key[:8]} serves again instead of {result.given_up[:8]}"],
)
