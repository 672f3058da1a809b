"""What a lane's decision depends on beside the announcement: whether it is held open, and who is inside its area.

Owned by the gate's loop. What has to outlive it is kept as notes of the outbox; an outbox that lost them holds no lane
open and knows nobody inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from platefleet.fleet.gate import holding, passback
from platefleet.fleet.gate.facts import Moment, Rule
from platefleet.fleet.gate.hearing import Key
from platefleet.fleet.gate.holding import HOLD, Hold, Hours
from platefleet.fleet.gate.passback import INSIDE, Change
from platefleet.protocol.delivery.port import Outbox
from platefleet.protocol.messages import Decision

Turn = Literal["held open", "released"]


@dataclass(frozen=True, slots=True)
class HoldRule:
    """How a lane may be held open. hours: when the schedule does. hold, release: outputs; empty: nothing is moved."""

    hours: tuple[Hours, ...] = ()
    hold: str = ""
    release: str = ""


@dataclass(frozen=True, slots=True)
class Passback:
    """hard: who is inside is not let in again; otherwise it is recorded only. forget_s: then nobody is inside."""

    hard: bool = False
    forget_s: int = 24 * 3600


class Circumstances:
    """Of every lane of a gate."""

    def __init__(
        self,
        rules: Mapping[Key, Rule],
        outbox: Outbox,
        *,
        boot: str,
        holds: Mapping[Key, HoldRule],
        back: Passback | None = None,
    ) -> None:
        self.holds = holds
        self._rules = rules
        self._outbox = outbox
        self._boot = boot
        self._back = back
        self._inside = passback.known(outbox.kept(INSIDE))
        notes = {name.removeprefix(HOLD): holding.decoded(value) for name, value in outbox.kept(HOLD).items()}
        self._held: dict[Key, Hold | None] = {key: notes.get(_name(key)) for key in rules}

    def of(self, key: Key, moment: Moment) -> Moment:
        """Return the moment as it is in a lane."""
        hold, rule = self._held[key], self._rules[key]
        if hold is not None and hold.open:
            moment = replace(moment, open_because=hold.reason)
        if self._back is not None and rule.way == "in":
            inside = self._inside.of(rule.area, _utc_ns(moment), self._back.forget_s)
            moment = replace(moment, inside=inside, inside_waits=self._back.hard)
        return moment

    def told(self, decision: Decision) -> Change:
        """Take a decision into account when it is told; return what has to be noted with it."""
        if self._back is None:
            return {}
        rule = self._rules.get((decision.device or "", decision.lane))
        self._inside, notes = passback.step(self._inside, decision, rule)
        return notes

    def forgive(self, plate: str) -> bool:
        """Take a plate as outside; return whether it was inside."""
        self._inside, notes = passback.forgiven(self._inside, plate)
        if notes:
            self._outbox.keep(notes)
        return bool(notes)

    def expire(self, moment: Moment) -> None:
        """Take those of long ago as outside."""
        if self._back is not None:
            self._inside, notes = passback.expired(self._inside, _utc_ns(moment), self._back.forget_s)
            if notes:
                self._outbox.keep(notes)

    def turned(self, key: Key, moment: Moment) -> tuple[Turn, str] | None:
        """Return whether a lane begins or ceases to be held open by the course of time, and why; `keep` follows."""
        before = self._held[key]
        after = holding.now_held(before, self._schedule(key, moment), self._boot, moment.mono_ns)
        return self._turn(key, after, "the time for which the lane was held open is over")

    def hold(self, key: Key, reason: str, until_mono_ns: int) -> Turn:
        """Hold a lane open for a person; `keep` follows."""
        self._held[key] = holding.by_hand(f"held open {reason}", self._boot, until_mono_ns)
        return "held open"

    def release(self, key: Key, reason: str, moment: Moment) -> Turn:
        """Release a lane for a person, or because the output failed; `keep` follows."""
        self._held[key] = holding.released(self._schedule(key, moment), reason, self._boot)
        return "released"

    def keep(self, key: Key) -> None:
        """Make durable what holds a lane: after the output was told, so that a crash in between tells it again."""
        self._outbox.keep({f"{HOLD}{_name(key)}": holding.encoded(self._held[key])})

    def open_lanes(self) -> list[str]:
        """Return a sentence for each lane that is held open."""
        return [f"lane {'/'.join(key)}: {hold.reason}" for key, hold in self._held.items() if hold and hold.open]

    def _turn(self, key: Key, after: Hold | None, over: str) -> tuple[Turn, str] | None:
        before, self._held[key] = self._held[key], after
        was, is_open = before is not None and before.open, after is not None and after.open
        if was == is_open:
            if before != after:
                self.keep(key)
            return None
        return ("held open", after.reason) if after is not None and is_open else ("released", over)

    def _schedule(self, key: Key, moment: Moment) -> str:
        return holding.scheduled(self.holds[key].hours, moment.day, moment.time)


def _utc_ns(moment: Moment) -> int | None:
    return None if moment.day is None else moment.stamp.utc_ns


def _name(key: Key) -> str:
    return "/".join(key)
