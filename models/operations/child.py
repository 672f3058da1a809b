"""Work of operations that would take the barrier's processor: in a child, at the lowest priority, paused and killed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from platefleet.models.build.child import Bounds, run_in_child
from platefleet.models.operations.port import Job, StoppedEarly

T = TypeVar("T")


def bounds_of(job: Job, deadline_s: float) -> Bounds:
    """Return a child's bounds: it stands still while the job does."""
    return Bounds(deadline_s=deadline_s, paused=job.paused)


def carried_out(
    work: Callable[..., T], *arguments: object, what: str, job: Job, deadline_s: float, idle: bool = True
) -> T:
    """Return what `work(tell, *arguments)` returned in a child. idle: see `run_in_child`.

    Raises StoppedEarly, and what `run_in_child` raises.
    """
    if job.stopping():
        raise StoppedEarly(f"{what}: was stopped before it began")
    done = run_in_child(
        work,
        *arguments,
        what=what,
        bounds=bounds_of(job, deadline_s),
        tell=job.tell,
        stopping=job.stopping,
        idle=idle,
    )
    result: T = done.result
    return result
