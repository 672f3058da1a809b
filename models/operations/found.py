"""Artifacts by what an operator calls them, and passports as results carry them."""

from __future__ import annotations

from typing import Any

from platefleet.models.artifacts.passport import Format, Passport, Precision, Role
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.errors import ArtifactError

RUNS = ("baseline", "accepted", "undecided")


def by_key(store: ArtifactStore, role: Role, key: str) -> Passport:
    """Return the artifact whose key begins so. Raises ArtifactError if none or several do."""
    fit = [each for each in store.passports(role) if each.key.startswith(key)]
    if len(fit) != 1:
        raise ArtifactError(f"{role}: {len(fit)} artifacts have a key that begins with {key}; name one of them whole")
    return fit[0]


def by_precision(store: ArtifactStore, role: Role, fmt: Format | None, precision: Precision | None) -> Passport:
    """Return the newest artifact of a format and precision that may run. Raises ArtifactError if there is none."""
    fit = [
        each
        for each in store.passports(role)
        if (fmt is None or each.recipe.format == fmt)
        and (precision is None or each.recipe.precision == precision)
        and each.verdict.judged in RUNS
    ]
    if not fit:
        wanted = "/".join(filter(None, (fmt, precision))) or "any precision"
        raise ArtifactError(f"{role}: this device has no {wanted} that was accepted; build one")
    order = {judged: -number for number, judged in enumerate(("accepted", "baseline", "undecided"))}
    return max(fit, key=lambda each: (order[each.verdict.judged], each.made_utc_ns))


def told(passport: Passport) -> dict[str, Any]:
    """Return a passport as a result carries it: without the list of calibration pictures, which may be long."""
    plain: dict[str, Any] = passport.model_dump(mode="json", exclude={"calibrated_on"}, exclude_none=True)
    return plain
