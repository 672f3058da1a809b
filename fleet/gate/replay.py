"""What a gate knows when it starts: its journal, read again. Pure: `journal.py` reads and writes the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from platefleet.fleet.gate.decide import AGAIN_NS, OPENINGS, settled
from platefleet.fleet.gate.facts import Intent, LaneState, Opening, Outcome, Result
from platefleet.protocol.messages import Decision, Stamp

CRASHED = "the controller ended between intent and result; the barrier may have opened, and it is not repeated"
INCARNATIONS = 64
"""Incarnations of this machine that may still have a will under way."""


@dataclass(frozen=True, slots=True)
class Known:
    """An incarnation of this machine."""

    incarnation: str


@dataclass(frozen=True, slots=True)
class Started:
    """Somebody opened the journal for writing. tells: a controller; otherwise a person who opens by hand."""

    utc_ns: int
    tells: bool


Entry = Intent | Result | Known | Started


@dataclass(frozen=True)
class Past:
    """What a journal says.

    lanes: by (device, lane). dangling: intents without a result, which are shown and alarmed, never repeated.
    newest_utc_ns: the latest time that a good clock gave.
    """

    lanes: Mapping[tuple[str, str], LaneState] = field(default_factory=dict)
    incarnations: tuple[str, ...] = ()
    dangling: tuple[Intent, ...] = ()
    newest_utc_ns: int = 0


def replay(entries: Iterable[Entry], boot: str, mono_ns: int) -> Past:
    """Return what the entries of a journal amount to. boot, mono_ns: of now.

    A time of another boot says nothing about how long ago something was, so it counts as now: what opened last stays
    "already open" for a moment too long, never too short.
    """
    lanes: dict[tuple[str, str], LaneState] = {}
    incarnations: list[str] = []
    awaited: dict[str, Intent] = {}
    newest_utc_ns = 0
    for entry in entries:
        match entry:
            case Known(incarnation):
                incarnations.append(incarnation)
            case Intent(token, _, decision):
                awaited[token] = entry
                at_ns = decision.decided.mono_ns if decision.decided.boot == boot else mono_ns
                _update(lanes, decision, intended(_lane(lanes, decision), entry, min(at_ns, mono_ns), mono_ns))
            case Result(token, outcome, decision):
                awaited.pop(token, None)
                state = settled(_lane(lanes, decision), token, outcome)
                _update(lanes, decision, replace(state, trouble=_trouble(state.trouble, outcome, decision)))
        if isinstance(entry, Intent | Result) and entry.decision.decided.clock != "unsynced":
            newest_utc_ns = max(newest_utc_ns, entry.decision.decided.utc_ns)
    return Past(lanes, tuple(incarnations[-INCARNATIONS:]), tuple(awaited.values()), newest_utc_ns)


def closed(intent: Intent, stamp: Stamp) -> Result:
    """Return the result of an intent that a crash left without one: failed, shown, not repeated."""
    update = {"phase": "result", "verdict": "output failed", "reason": CRASHED, "decided": stamp}
    return Result(intent.token, "failed", intent.decision.model_copy(update=update))


def intended(state: LaneState, intent: Intent, at_ns: int, now_ns: int) -> LaneState:
    """Return the state after an intent made at `at_ns`. Its pass counts as just announced: it may still stand there."""
    if not intent.plate:
        return state
    openings = (*state.openings, Opening(intent.token, intent.plate, at_ns))
    recent = tuple(o for o in openings if now_ns - o.mono_ns < AGAIN_NS)[-OPENINGS:]
    acted = {**{token: at for token, at in state.acted.items() if token != intent.token}, intent.token: now_ns}
    return replace(state, acted=acted, openings=recent)


def kept(entries: Sequence[Entry], lanes: Mapping[tuple[str, str], LaneState], now_ns: int, told: int) -> list[Entry]:
    """Return the entries that a shorter journal has to hold: of passes still remembered, and the last of each lane.

    told: the number up to which the outbox knows them; those after it stay. Otherwise bounded by what the lanes
    remember.
    """
    wanted = {token for state in lanes.values() for token in (*state.acted, *state.pending)}
    wanted |= {o.token for state in lanes.values() for o in state.openings if now_ns - o.mono_ns < AGAIN_NS}
    last: dict[tuple[str | None, str], str] = {}
    for entry in entries:
        if isinstance(entry, Result):
            last[entry.decision.device, entry.decision.lane] = entry.token
    wanted |= set(last.values())
    known = [entry for entry in entries if isinstance(entry, Known)][-INCARNATIONS:]
    started = [entry for entry in entries if isinstance(entry, Started)][-1:]
    rest = (e for e in entries if isinstance(e, Intent | Result) and (e.token in wanted or e.number > told))
    return [*known, *rest, *started]


def _trouble(before: str, outcome: Outcome, decision: Decision) -> str:
    if outcome == "opened":
        return ""
    if outcome == "withdrawn":
        return before
    return f"lane {decision.device}/{decision.lane}: {decision.reason}; open it by hand if a vehicle waits"


def _lane(lanes: Mapping[tuple[str, str], LaneState], decision: Decision) -> LaneState:
    return lanes.get((decision.device or "", decision.lane), LaneState())


def _update(lanes: dict[tuple[str, str], LaneState], decision: Decision, state: LaneState) -> None:
    lanes[decision.device or "", decision.lane] = state
