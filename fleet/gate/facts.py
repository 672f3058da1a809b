"""What a gate's decision is made of: rules, events, state and effects. Data only; `decide.py` says what follows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from platefleet.protocol.messages import Decision, PlateEvent, Stamp
from platefleet.protocol.messages.plate import Direction

Outcome = Literal["opened", "failed", "withdrawn"]
"""`withdrawn`: nothing moved, because the vehicle was last seen too long ago when the output's turn came."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a gate's configuration: (device, lane) → output and directions.

    age_limit_ms: a vehicle last seen this long ago is not acted on. answer_within_ms: an output that has not said what
    it did by then has failed. area, way: what it leads into or out of, for anti-passback; empty: neither.
    """

    gate: str
    device: str
    lane: str
    output: str
    directions: frozenset[Direction] = frozenset(("approaching", "unknown"))
    age_limit_ms: int = 5000
    answer_within_ms: int = 10_000
    area: str = ""
    way: Literal["", "in", "out"] = ""

    @property
    def key(self) -> tuple[str, str]:
        """(device, lane)."""
        return self.device, self.lane


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is decided, and under what circumstances.

    mono_ns: nanoseconds since boot. stamp: for the record. day: today in the gate's zone, None: the clock is not good.
    held: why this gate may not act at all now, empty if it may. open_because: why the lane is held open, empty if it is
    not. inside: plates that went into the lane's area and did not come out, and when (UTC, ns), if it leads into one.
    inside_waits: they are not let in again.
    """

    mono_ns: int
    stamp: Stamp
    day: dt.date | None
    held: str = ""
    time: dt.time | None = None
    open_because: str = ""
    inside: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    inside_waits: bool = False


# Events.


@dataclass(frozen=True, slots=True)
class Announced:
    """A live record came: a revision of a pass. age_ms: upper bound since it was last seen, None if unknown."""

    event: PlateEvent
    age_ms: int | None


@dataclass(frozen=True, slots=True)
class ByHand:
    """A person at this machine opens the lane. token: a UUIDv7. reason: their words, with who they are.

    The same for a lane that is to be held open or released, by a person or the schedule: output then names what does
    that, and verdict says which.
    """

    token: str
    reason: str
    output: str = ""
    verdict: Literal["by hand", "held open", "released"] = "by hand"


@dataclass(frozen=True, slots=True)
class Moved:
    """The output says what it did for an intent."""

    token: str
    outcome: Outcome
    reason: str
    took_ms: int = 0


@dataclass(frozen=True, slots=True)
class Unwritten:
    """The intent could not be made durable, so nothing moved."""

    token: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = Announced | ByHand | Moved | Unwritten | Tick

# What the journal keeps.


@dataclass(frozen=True, slots=True)
class Intent:
    """The output is about to move. token: the pass, or a by-hand opening's own. plate: the list's, empty by hand.

    number: its place in the journal, from 1; 0 before it is written.
    """

    token: str
    plate: str
    decision: Decision
    number: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an intent. number: as an intent's."""

    token: str
    outcome: Outcome
    decision: Decision
    number: int = field(default=0, compare=False)


# Effects.


@dataclass(frozen=True, slots=True)
class Journal:
    """Make this durable before anything that comes after it."""

    entry: Intent | Result


@dataclass(frozen=True, slots=True)
class Pulse:
    """Move the output, if its turn comes before `until_mono_ns` (None: whenever)."""

    token: str
    rule: Rule
    plate: str
    until_mono_ns: int | None


@dataclass(frozen=True, slots=True)
class Tell:
    """Append this decision to the outbox."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class Count:
    """Something was left alone; count it."""

    what: str


Effect = Journal | Pulse | Tell | Count

# State.


@dataclass(frozen=True, slots=True)
class Pass:
    """What is remembered of a pass that was not acted on.

    revision: the newest judged. left: a `final` was heard. absent_from: the version of the list that the revision's
    plate is not on; None if that was not the verdict. unread: the revision was. told: (revision, verdict) that have a
    record.
    """

    revision: int
    heard_mono_ns: int
    left: bool = False
    absent_from: str | None = None
    unread: bool = False
    told: frozenset[tuple[int, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Opening:
    """A plate that the lane was opened for, or was to be. outcome: None until the output answered."""

    token: str
    plate: str
    mono_ns: int
    outcome: Outcome | None = None


@dataclass(frozen=True)
class LaneState:
    """What is known of one lane. Bounded: see `decide.PASSES` and `decide.AGAIN_NS`.

    acted: passes that the output moved for or was to, and when they were last announced: never acted on again. passes:
    the others. pending: intents whose result is awaited, with when they were made. trouble: a failed opening that a
    person should know of, until the lane opens again.
    """

    acted: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    passes: Mapping[str, Pass] = field(default_factory=lambda: MappingProxyType({}))
    openings: tuple[Opening, ...] = ()
    pending: Mapping[str, tuple[int, Intent]] = field(default_factory=lambda: MappingProxyType({}))
    trouble: str = ""
