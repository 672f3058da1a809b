"""One role's artifact on its way from chosen to confirmed or given up. Pure: what is to be done comes out as data.

Idle → Loading → Shadowing → Swapping → Watching → Idle, confirmed or rolled back. A choice that is settled already (a
rollback by hand, the first artifact of a role) is only loaded and swapped in. Whatever fails leaves what ran before
running; after the swap it is put back first and written down then. One role at a time: with two on trial, nobody could
say which of them is to blame. Where memory is short for two: Loading → Waiting → Replacing → Watching, without a
shadow, and what ran before is opened again if it has to come back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb

from platefleet.models.artifacts.passport import Role

SHADOW_LOST = 0.2
"""The share of what the running artifact finds that a candidate may lose in the shadow; the watch is finer."""
SHADOW_ALARM = 0.001
"""How likely a candidate that loses just so much is refused for it."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """An artifact that the store names and that does not run yet. trial: whether it is to be confirmed here."""

    role: Role
    key: str
    trial: bool = True


@dataclass(frozen=True, slots=True)
class Idle:
    """What runs is what is confirmed."""


@dataclass(frozen=True, slots=True)
class Loading:
    """The candidate is being opened beside what runs."""

    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Waiting:
    """There is no memory to open it beside what runs: it waits for a moment without a car to take its place."""

    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Replacing:
    """What ran is closed and the candidate is being opened in its place: nothing serves the role meanwhile."""

    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Shadowing:
    """Both look at every k-th frame. cases: what the running one found there; lost: of these, not by the candidate."""

    chosen: Chosen
    compared: int = 0
    cases: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Swapping:
    """The candidate is to serve from the next frame on."""

    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Watching:
    """The candidate serves. alone: the one before is closed; else it is kept open to return to."""

    chosen: Chosen
    alone: bool = False


State = Idle | Loading | Waiting | Replacing | Shadowing | Swapping | Watching


@dataclass(frozen=True, slots=True)
class Opened:
    """The candidate could be opened."""


@dataclass(frozen=True, slots=True)
class Crowded:
    """There is no memory to open the candidate beside what runs. said: what it will cost, for people."""

    said: str


@dataclass(frozen=True, slots=True)
class Calm:
    """No car is there, and the watch knows enough of before."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One frame was looked at by both. ready: whether the watch knows enough of before, and enough was compared."""

    cases: int
    lost: int
    ready: bool


@dataclass(frozen=True, slots=True)
class Swapped:
    """The candidate serves. pause_ms: how long no frame could be looked at."""

    pause_ms: float


@dataclass(frozen=True, slots=True)
class Proven:
    """The watch saw enough and nothing against the candidate."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be opened, failed on a frame, or the watch is against it. why: one sentence's end."""

    why: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The store names another one meanwhile: somebody decided by hand."""


Event = Chosen | Opened | Crowded | Calm | Compared | Swapped | Proven | Failed | Withdrawn


@dataclass(frozen=True, slots=True)
class Open:
    """Open it, on a thread of its own where the backend allows it."""

    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Swap:
    """Put the candidate in between two frames."""

    chosen: Chosen


@dataclass(frozen=True, slots=True)
class SwapBack:
    """Put back what ran before, at once."""

    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell what loading it will cost."""

    chosen: Chosen
    said: str


@dataclass(frozen=True, slots=True)
class Replace:
    """Close what serves and open the candidate in its place, between two frames."""

    chosen: Chosen


@dataclass(frozen=True, slots=True)
class PutBack:
    """Close the candidate and open what ran before in its place, at once."""

    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Drop:
    """Close what was opened beside and serves no more: the candidate before a swap, the one before after it."""

    chosen: Chosen


@dataclass(frozen=True, slots=True)
class BeginWatch:
    """Compare from now on with what was seen before."""

    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Confirm:
    """Write that it is confirmed, and tell."""

    chosen: Chosen


@dataclass(frozen=True, slots=True)
class RollBack:
    """Write that the one before is active again, and tell why."""

    chosen: Chosen
    why: str


Effect = Open | Announce | Replace | PutBack | Swap | SwapBack | Drop | BeginWatch | Confirm | RollBack


def decide(  # noqa: PLR0911 - one line a transition
    state: State, event: Event
) -> tuple[State, tuple[Effect, ...]]:
    """Return the next state and what to do, in order. What comes late or twice changes nothing."""
    match state, event:
        case Idle(), Chosen():
            return Loading(event), (Open(event),)
        case Loading(chosen), Opened() if chosen.trial:
            return Shadowing(chosen), ()
        case Loading(chosen), Opened():
            return Swapping(chosen), (Swap(chosen),)
        case Loading(chosen), Crowded(said):
            return Waiting(chosen), (Announce(chosen, said),)
        case ((Waiting() | Replacing() | Watching(alone=True)), _):
            return _alone(state, event)
        case Shadowing(chosen), Compared():
            return _compared(state, event)
        case Swapping(chosen), Swapped() if chosen.trial:
            return Watching(chosen), (BeginWatch(chosen),)
        case Swapping(chosen), Swapped():
            return Idle(), (Drop(chosen),)
        case Watching(chosen), Proven():
            return Idle(), (Confirm(chosen), Drop(chosen))
        case ((Loading(chosen) | Shadowing(chosen)), (Failed() | Withdrawn())):
            return Idle(), (Drop(chosen), *_written(chosen, event))
        case ((Swapping(chosen) | Watching(chosen)), (Failed() | Withdrawn())):
            return Idle(), (SwapBack(chosen), *_written(chosen, event), Drop(chosen))
        case _:
            return state, ()


def _alone(  # noqa: PLR0911 - one line a transition
    state: State, event: Event
) -> tuple[State, tuple[Effect, ...]]:
    """Return what follows where there is memory for one of the two only."""
    match state, event:
        case Waiting(chosen), Calm():
            return Replacing(chosen), (Replace(chosen),)
        case Waiting(chosen), (Failed() | Withdrawn()):
            return Idle(), (Drop(chosen), *_written(chosen, event))
        case Replacing(chosen), Swapped() if chosen.trial:
            return Watching(chosen, alone=True), (BeginWatch(chosen),)
        case Replacing(), Swapped():
            return Idle(), ()
        case Watching(chosen), Proven():
            return Idle(), (Confirm(chosen),)
        case (Replacing(chosen), Failed()) | (Watching(chosen), (Failed() | Withdrawn())):
            return Idle(), (PutBack(chosen), *_written(chosen, event))
        case _:
            return state, ()


def _compared(state: Shadowing, event: Compared) -> tuple[State, tuple[Effect, ...]]:
    cases, lost = state.cases + event.cases, state.lost + event.lost
    if surely_more(lost, cases, SHADOW_LOST, SHADOW_ALARM):
        why = f"beside what runs it lost {lost} of {cases} finds in {state.compared + 1} frames"
        return decide(state, Failed(why))
    if event.ready:
        return Swapping(state.chosen), (Swap(state.chosen),)
    return replace(state, compared=state.compared + 1, cases=cases, lost=lost), ()


def _written(chosen: Chosen, event: Event) -> tuple[Effect, ...]:
    return (RollBack(chosen, event.why),) if isinstance(event, Failed) else ()


def surely_more(events: int, cases: int, share: float, alpha: float) -> bool:
    """Whether so many events are less likely than `alpha` where their share is `share` (the binomial's tail).

    >>> surely_more(5, 5, 0.2, 0.001), surely_more(3, 5, 0.2, 0.001), surely_more(0, 0, 0.2, 0.001)
    (True, False, False)
    """
    if events <= share * cases:
        return False
    tail = sum(comb(cases, k) * share**k * (1 - share) ** (cases - k) for k in range(events, cases + 1))
    return tail < alpha
