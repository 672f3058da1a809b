"""What may become of one command: `advance(life, event) → life`, the same for agent and console.

```
accepted ──► waiting ◄──► running ──► succeeded | failed | rolled_back
    │            │           │
    └────────────┴───────────┴──────► cancelled | expired      (rejected: never taken)
```

>>> life = advance(Life(), Started("exporting"))
>>> life.state, life.attempt
('running', 1)
>>> advance(life, CancelAsked()).stopping
'cancelled'
>>> advance(advance(life, CancelAsked()), Stopped()).state
'cancelled'
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from platefleet.protocol.messages.command import State, Waiting

ATTEMPTS = 5
"""After so many tries that failed by something that passes, it has failed."""
RESTARTS = 3
"""After so many that ended with the program or the machine, it is to blame itself."""
YIELDS = 50
"""Making room for the barrier does not count as failing; a night of it is enough all the same."""
RETRY_S = (60, 300, 900, 3600)
"""Pauses between tries that failed by something that passes."""
TERMINAL: frozenset[State] = frozenset({"rejected", "succeeded", "failed", "rolled_back", "cancelled", "expired"})

Why = Literal["cancelled", "yielding", "overdue"]
"""Why a running command is being stopped."""


@dataclass(frozen=True, slots=True)
class Life:
    """One command so far.

    step: what it does while it runs. committed: past the point of no return. attempt: tries begun; failures, restarts,
    yields: how they ended. stopping: why it was told to stop, until it has. why: what it waits for.
    """

    state: State = "accepted"
    step: str | None = None
    committed: bool = False
    attempt: int = 0
    failures: int = 0
    restarts: int = 0
    yields: int = 0
    stopping: Why | None = None
    why: Waiting | None = None
    reason: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.state in TERMINAL


@dataclass(frozen=True, slots=True)
class Held:
    """It may not begin or go on now."""

    why: Waiting


@dataclass(frozen=True, slots=True)
class Started:
    """A try began, with this step."""

    step: str


@dataclass(frozen=True, slots=True)
class Stepped:
    """The try came to another step. committed: from here on it cannot be cancelled."""

    step: str
    committed: bool = False


@dataclass(frozen=True, slots=True)
class Succeeded:
    """It is done."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The try failed. passing: by something that may be over later; retry_at_ns: then, UTC."""

    reason: str
    passing: bool = False
    retry_at_ns: int | None = None


@dataclass(frozen=True, slots=True)
class RolledBack:
    """It was done, and undone because of what was seen."""

    reason: str


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Somebody who may wants it ended."""


@dataclass(frozen=True, slots=True)
class Yield:
    """It has to make room. why: for what."""

    why: Waiting


@dataclass(frozen=True, slots=True)
class Overdue:
    """A step took longer than it may, or nothing was heard of it for too long."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The try has ended because it was told to."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """The program or the machine began anew while it ran. again: whether it may be tried again."""

    again: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TooLate:
    """The moment passed until which it might have begun."""


@dataclass(frozen=True, slots=True)
class Disallowed:
    """It was taken before anybody could judge it, and may not be done."""

    reason: str


Event = (
    Held
    | Started
    | Stepped
    | Succeeded
    | Failed
    | RolledBack
    | CancelAsked
    | Yield
    | Overdue
    | Stopped
    | Restarted
    | TooLate
    | Disallowed
)


def advance(life: Life, event: Event) -> Life:  # noqa: C901, PLR0911, PLR0912 - a table, one line for each event
    """Return what became of the command. What cannot happen in its state changes nothing: the same object comes back.

    A terminal state is never left; the point of no return is never passed back but by a new try.
    """
    running = life.state == "running"
    if life.over:
        return life
    match event:
        case Held(why) if not running:
            return life if life.why == why else replace(life, state="waiting", why=why)
        case Started(step) if not running:
            return replace(
                life, state="running", step=step, committed=False, stopping=None, why=None, attempt=life.attempt + 1
            )
        case Stepped(step, committed) if running:
            passed = life.committed or (committed and life.stopping is None)
            return life if (step, passed) == (life.step, life.committed) else replace(life, step=step, committed=passed)
        case Succeeded() if running:
            return _over(life, "succeeded", "")
        case RolledBack(reason) if running:
            return _over(life, "cancelled" if life.stopping == "cancelled" else "rolled_back", reason)
        case Failed(reason, passing, retry_at_ns) if running:
            return _failed(life, reason, passing, retry_at_ns)
        case CancelAsked() if not running:
            return _over(life, "cancelled", "")
        case CancelAsked() if not life.committed and life.stopping != "cancelled":
            return replace(life, stopping="cancelled")
        case Yield(why) if running and not life.committed and life.stopping is None:
            return replace(life, stopping="yielding", why=why)
        case Overdue(reason) if running and life.stopping is None:
            return replace(life, stopping="overdue", reason=reason)
        case Stopped() if running:
            return _stopped(life)
        case Restarted(again, reason) if running:
            return _restarted(life, again, reason)
        case TooLate() if not running:
            missed = f"; it waited: {life.why.says}" if life.why is not None else ""
            return _over(life, "expired", f"its time was over before it could begin{missed}"[:512])
        case Disallowed(reason) if not running:
            return _over(life, "rejected", reason)
    return life


def _over(life: Life, state: State, reason: str) -> Life:
    return replace(life, state=state, stopping=None, why=None, reason=reason)


def _failed(life: Life, reason: str, passing: bool, retry_at_ns: int | None) -> Life:
    failures = life.failures + 1
    if life.stopping == "cancelled":
        return _over(life, "cancelled", reason)
    if not passing or failures >= ATTEMPTS:
        tries = f" (after {failures} tries)" if failures > 1 else ""
        return _over(replace(life, failures=failures), "failed", f"{reason}{tries}"[:512])
    why = Waiting(hold="retry", says=f"tried {failures} of {ATTEMPTS} times: {reason}"[:512], until_ns=retry_at_ns)
    return replace(life, state="waiting", step=None, stopping=None, failures=failures, why=why, reason=reason)


def _stopped(life: Life) -> Life:
    match life.stopping:
        case "cancelled":
            return _over(life, "cancelled", "")
        case "yielding":
            if life.yields + 1 >= YIELDS:
                return _over(life, "failed", f"made room for the barrier {YIELDS} times and never came to its end")
            return replace(life, state="waiting", step=None, stopping=None, yields=life.yields + 1)
        case "overdue":
            return _over(life, "failed", life.reason)
        case None:
            return _failed(life, "it stopped without being told to", True, None)


def _restarted(life: Life, again: bool, reason: str) -> Life:
    restarts = life.restarts + 1
    if life.stopping == "cancelled":
        return _over(life, "cancelled", "")
    if not again:
        return _over(life, "failed", reason or f"the agent began anew during {life.step}")
    if restarts >= RESTARTS:
        return _over(
            life, "failed", f"the agent began anew {restarts} times while it ran, the last time in {life.step}"
        )
    said = reason or f"the agent began anew during {life.step}; it is tried again"
    return replace(
        life, state="waiting", step=None, committed=False, stopping=None, restarts=restarts, why=None, reason=said
    )
