"""`restart`: the agent ends and is started again."""

from __future__ import annotations

import time

from platefleet.models.operations.port import Arguments, Host, Job, Operation, Result, Step, StoppedEarly
from platefleet.protocol.errors import CommandError

KEPT = "run"
WAIT_S = 60.0


class Restart(Arguments):
    """Nothing to say."""


class RestartDone(Result):
    """Which run of the agent ended and which began."""

    before: str
    now: str


def run(_: Restart, host: Host, job: Job) -> RestartDone:
    """Ask for it. What became of it is found out by the agent that begins."""
    job.keep(KEPT, host.run())
    job.step("restarting")
    host.begin_anew()
    ends = time.monotonic() + WAIT_S
    while time.monotonic() < ends:
        if job.stopping():
            raise StoppedEarly("the agent is ending")
        time.sleep(0.1)
    raise CommandError(f"the agent did not end within {WAIT_S:.0f} s; is it run by something that starts it again?")


def settle(_: Restart, host: Host, job: Job) -> RestartDone | None:
    """Return that it was done, if another run has begun."""
    before = job.kept(KEPT)
    return None if before is None or before == host.run() else RestartDone(before=before, now=host.run())


OPERATION = Operation(
    name="restart",
    says="End the agent and have it started again.",
    arguments=Restart,
    result=RestartDone,
    steps=(Step("restarting", 120.0, 120.0, no_return=True),),
    run=run,
    settle=settle,
    lines=lambda _result: ["the agent began anew"],
)
