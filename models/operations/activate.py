"""`activate`: let another artifact serve a role, which is how a precision is switched; watched, confirmed or undone."""

from __future__ import annotations

import time
from typing import Annotated

from pydantic import Field, model_validator

from platefleet.models.artifacts.activation import Active, activated, rolled_back
from platefleet.models.artifacts.passport import Format, Passport, Precision, Role
from platefleet.models.errors import ArtifactError
from platefleet.models.operations.found import by_key, by_precision
from platefleet.models.operations.port import (
    Arguments,
    Host,
    Job,
    Operation,
    Result,
    Step,
    StoppedEarly,
    UndoneAgain,
    keeps_artifacts,
)
from platefleet.protocol.errors import PlatefleetError

TRIAL_S = 7 * 86_400.0
"""A quiet site may take days to see enough cars; the watch ends by itself long before."""
LOOK_S = 0.5
KEPT = "activated"
"""The name under which the choice's number is remembered."""


class Activate(Arguments):
    """Which artifact: by how its key begins, or the newest of a format and precision that may run.

    undecided: also one of which too little was measured; it is watched longer.
    """

    role: Role
    key: Annotated[str, Field(pattern="^[0-9a-f]{4,32}$")] | None = None
    format: Format | None = None
    precision: Precision | None = None
    undecided: bool = False

    @model_validator(mode="after")
    def _named(self) -> Activate:
        if self.key is None and self.precision is None and self.format is None:
            raise ValueError("name the artifact by key, or by format and precision")
        return self


class Activated(Result):
    """What serves now. artifact: its title; confirmed: the watch found nothing against it."""

    role: Role
    key: str
    artifact: str
    confirmed: bool


def run(arguments: Activate, host: Host, job: Job) -> Activated:
    """Ask for the trial and follow it to its end."""
    store, role = host.store, arguments.role
    job.step("choosing")
    if arguments.key is not None:
        passport = by_key(store, role, arguments.key)
    else:
        passport = by_precision(store, role, arguments.format, arguments.precision)
    now = store.active(role)
    if now is not None and now.key == passport.key and now.confirmed:
        return Activated(role=role, key=now.key, artifact=passport.title, confirmed=True)
    if now is None or now.key != passport.key:
        store.model(passport)
    job.keep(KEPT, passport.key)
    job.step("on trial")  # before anything changes: whoever was told to stop has not begun
    try:
        now = store.choose(role, lambda one: _chosen(one, passport, undecided=arguments.undecided))
        while not now.confirmed:
            if job.stopping():
                raise StoppedEarly(f"{passport.title}: was taken back")
            job.tell("on trial", None)
            time.sleep(LOOK_S)
            now = _there(host, role)
            if now.key != passport.key:
                raise UndoneAgain(
                    f"{passport.title}: did not stay; {now.key[:8]} serves again, the device's health says why"
                )
    except PlatefleetError as error:
        if isinstance(error, UndoneAgain):
            raise
        now = _take_back(host, role, passport.key)
        if not (isinstance(error, StoppedEarly) and now.key == passport.key):  # confirmed meanwhile, it stays
            raise
    return Activated(role=role, key=now.key, artifact=passport.title, confirmed=True)


def _chosen(now: Active | None, passport: Passport, *, undecided: bool) -> Active:
    """Return the choice with an artifact on trial; one that an earlier try put there goes on."""
    return now if now is not None and now.key == passport.key else activated(now, passport, undecided_named=undecided)


def settle(arguments: Activate, host: Host, job: Job) -> Activated | None:
    """Say what became of it when the agent began anew: a trial that was cut off is over, and lost."""
    key = job.kept(KEPT)
    if key is None:
        return None
    now = host.store.active(arguments.role)
    if now is not None and now.key == key and not now.confirmed:
        now = _take_back(host, arguments.role, key)
    if now is not None and now.key == key:
        passport = host.store.passport(arguments.role, key)
        return Activated(role=arguments.role, key=key, artifact=passport.title, confirmed=True)
    raise UndoneAgain(f"{arguments.role}: the agent began anew before {key[:8]} was confirmed; what ran before serves")


def _take_back(host: Host, role: Role, key: str) -> Active:
    """Undo a trial; return what serves: what was confirmed meanwhile stays."""

    def back(now: Active | None) -> Active:
        if now is None:
            raise ArtifactError(f"{role}: nothing is active")
        return rolled_back(now, key) if now.key == key and not now.confirmed else now

    return host.store.choose(role, back)


def _there(host: Host, role: Role) -> Active:
    now = host.store.active(role)
    if now is None:
        raise ArtifactError(f"{role}: active.json is gone; activate an artifact")
    return now


OPERATION = Operation(
    name="activate",
    says="Let another artifact serve a role, or another precision; it is watched, then confirmed or undone.",
    arguments=Activate,
    result=Activated,
    steps=(Step("choosing", 120.0, 120.0), Step("on trial", TRIAL_S, 120.0)),
    require=keeps_artifacts,
    run=run,
    slot="trial",
    versioned=True,
    settle=settle,
    lines=lambda result: [f"{result.role}: {result.artifact} serves"],
)
