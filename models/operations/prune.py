"""`prune`: let go of artifacts and files that nothing needs any more."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from platefleet.models.operations.port import Arguments, Host, Job, Operation, Result, Step, keeps_artifacts


class Prune(Arguments):
    """keep: keys that stay whatever else is said, by how they begin."""

    keep: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    anyhow: bool = False


class Pruned(Result):
    """What was removed, as paths in the store; more: how many beyond those."""

    removed: tuple[str, ...]
    more: int = 0


MOST = 200


def run(arguments: Prune, host: Host, job: Job) -> Pruned:
    """Remove it."""
    from platefleet.models.artifacts.store import ROLES  # noqa: PLC0415 - heavy
    from platefleet.models.artifacts.upkeep import prune  # noqa: PLC0415 - heavy

    job.step("pruning")
    store = host.store
    kept = [
        each.key
        for role in ROLES
        for each in store.passports(role)
        if arguments.keep and each.key.startswith(arguments.keep)
    ]
    removed = [str(path.relative_to(store.root)) for path in prune(store, kept).removed]
    return Pruned(removed=tuple(removed[:MOST]), more=max(0, len(removed) - MOST))


def _lines(result: Pruned) -> list[str]:
    more = [f"and {result.more} more"] if result.more else []
    return [*result.removed, *more] or ["there was nothing to remove"]


OPERATION = Operation(
    name="prune",
    says="Let go of artifacts and files that nothing needs any more.",
    arguments=Prune,
    result=Pruned,
    steps=(Step("pruning", 600.0, 600.0),),
    require=keeps_artifacts,
    run=run,
    slot="heavy",
    in_window=True,
    lines=_lines,
)
