"""Which artifact of a role is active: the decision, without files or clocks.

An artifact that was just activated is on trial: it serves, is watched, and is confirmed or rolled back. A device that
restarts during a trial comes up on what was confirmed before: whatever ended the process may have been the new one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from platefleet.models.artifacts.passport import Passport
from platefleet.models.errors import ArtifactError


@dataclass(frozen=True, slots=True)
class Active:
    """A role's choice. key: what runs. previous: what a rollback returns to. confirmed: whether the trial is over.

    number: rises with every change, so that a decision made on an older state is refused.
    """

    key: str
    previous: str | None = None
    confirmed: bool = True
    number: int = 1


def activated(now: Active | None, candidate: Passport, *, undecided_named: bool = False) -> Active:
    """Return the choice after `candidate` was activated, on trial. The first one of a role is confirmed at once.

    undecided_named: an administrator named this artifact although too little was measured.
    Raises ArtifactError for one that may not run, or that runs already.
    """
    verdict = candidate.verdict
    match verdict.judged:
        case "rejected":
            raise ArtifactError(f"{candidate.title}: was rejected ({verdict.reason}); build another")
        case "unmeasured":
            raise ArtifactError(f"{candidate.title}: was not measured yet; run `platefleet models evaluate` first")
        case "undecided" if not undecided_named:
            more = f", {verdict.frames_more} frames more are needed" if verdict.frames_more else ""
            raise ArtifactError(
                f"{candidate.title}: too little was measured ({verdict.reason}{more}); evaluate on more frames"
            )
    if now is None:
        return Active(candidate.key)
    if now.key == candidate.key:
        raise ArtifactError(f"{candidate.title}: is active already")
    before = now.key if now.confirmed else now.previous
    return Active(candidate.key, previous=before, confirmed=before is None, number=now.number + 1)


def confirmed(now: Active, key: str) -> Active:
    """Return the choice after its trial went well. Raises ArtifactError if something else runs meanwhile."""
    _still(now, key)
    return replace(now, confirmed=True, number=now.number + 1)


def rolled_back(now: Active, key: str | None = None) -> Active:
    """Return the choice after a rollback to what ran before. key: what is given up; None: whatever runs.

    Raises ArtifactError if there is nothing to return to, or something else runs meanwhile.
    """
    if key is not None:
        _still(now, key)
    if now.previous is None:
        raise ArtifactError(f"{now.key[:8]}: nothing ran before it; activate another artifact")
    return Active(now.previous, previous=None, confirmed=True, number=now.number + 1)


def at_start(stored: Active) -> Active:
    """Return the choice of a device that starts: a trial that was cut off is over, and lost."""
    return stored if stored.confirmed else rolled_back(stored)


def _still(now: Active, key: str) -> None:
    if now.key != key:
        raise ArtifactError(f"{key[:8]}: {now.key[:8]} is active meanwhile; look again")
