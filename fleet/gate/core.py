"""The gate's decisions carried out: states in memory, effects in their order. Owned by one thread; I/O is handed in."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping

from platefleet.fleet.gate import identity as who
from platefleet.fleet.gate.calendar import Calendar
from platefleet.fleet.gate.decide import decide
from platefleet.fleet.gate.facts import (
    Announced,
    ByHand,
    Count,
    Effect,
    Event,
    Intent,
    Journal,
    LaneState,
    Moved,
    Pulse,
    Rule,
    Tell,
    Tick,
    Unwritten,
)
from platefleet.fleet.gate.hearing import Key
from platefleet.fleet.gate.journal import Journal as JournalFile
from platefleet.fleet.gate.replay import Known, Past, Started, closed, kept
from platefleet.fleet.gate.verdicts import Listing
from platefleet.protocol.clock import MILLISECOND_NS, Clock
from platefleet.protocol.errors import GateError
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import Decision

LOG = logging.getLogger(__name__)
Answered = Callable[[Decision], None]


class Core:
    """Every lane's state, and the hands that carry out what `decide` says.

    submit: hands a pulse to its output; the answer comes back through `moved`. tell: a decision for the outbox. counts:
    what was left alone or went wrong, by name.
    """

    def __init__(
        self,
        rules: Mapping[Key, Rule],
        listing: Listing,
        journal: JournalFile,
        past: Past,
        *,
        clock: Clock,
        calendar: Calendar,
        submit: Callable[[Pulse], None],
        tell: Callable[[Decision], None],
        counts: Counter[str] | None = None,
    ) -> None:
        self.listing = listing
        self.lanes: dict[Key, LaneState] = {key: past.lanes.get(key, LaneState()) for key in rules}
        self.identity = who.Identity(past.incarnations)
        self.counts = counts if counts is not None else Counter()
        self.journal_problem = journal.damage
        self.rules = rules
        self._journal = journal
        self._past = past
        self._clock = clock
        self._calendar = calendar
        self._submit = submit
        self._tell = tell
        self._waiters: dict[str, Answered] = {}

    def begin(self, *, tells: bool) -> None:
        """Note the start, tell what was decided while no controller ran, and close what a crash left open.

        tells: this is a controller with an outbox. Raises GateError if the journal cannot be written.
        """
        now = self._clock.now()
        self._journal.append(Started(now.utc_ns, tells))
        if not tells:
            return
        for decision in self._past.untold:
            self._tell(decision)
        for intent in self._past.dangling:
            result = closed(intent, self._calendar.moment(now).stamp)
            self._journal.append(result)
            self._tell(intent.decision)
            self._tell(result.decision)
            self.counts["crashed"] += 1
            asked = intent.decision
            trouble = f"lane {asked.device}/{asked.lane}: {result.decision.reason}"
            LOG.error("%s", trouble)
            key = (asked.device or "", asked.lane)
            if key in self.lanes:
                state = self.lanes[key]
                self.lanes[key] = LaneState(state.acted, state.passes, state.openings, state.pending, trouble)

    def announced(self, key: Key, announced: Announced) -> None:
        """Judge a revision of a pass, and act on it."""
        self._step(key, announced)

    def moved(self, moved: Moved) -> None:
        """Take an output's answer."""
        for key, state in self.lanes.items():
            if moved.token in state.pending:
                self._step(key, moved)
                return
        self.counts["results late"] += 1

    def open_by_hand(self, key: Key, reason: str, answered: Answered) -> None:
        """Open a lane because a person says so; `answered` gets the result."""
        token = uuid7(max(0, self._clock.now().utc_ns) // MILLISECOND_NS, os.urandom(10))
        self._waiters[token] = answered
        self._step(key, ByHand(token, reason))

    def tick(self) -> None:
        """Give up on outputs that do not answer."""
        for key, state in self.lanes.items():
            if state.pending:
                self._step(key, Tick())

    def know(self, incarnation: str) -> None:
        """Remember an incarnation of this machine, durably: its will may come after a restart."""
        self.note(incarnation)
        try:
            self._journal.append(Known(incarnation))
        except GateError as error:
            self._journal_failed(error)

    def note(self, incarnation: str) -> None:
        """Remember an incarnation of this machine while this program runs."""
        if incarnation and incarnation not in self.identity.known:
            self.identity = who.ours(self.identity, incarnation)

    def heard_of_us(self, incarnation: str, state: str) -> None:
        """Take what our own presence says."""
        before = self.held()
        self.identity = who.heard(self.identity, incarnation, state, self._clock.now().mono_ns)
        if self.held() and not before:
            LOG.error("%s", self.held())

    def held(self) -> str:
        """Return why the gate may not act at all, or nothing."""
        return who.held(self.identity, self._clock.now().mono_ns)

    def troubles(self) -> list[str]:
        """Return a sentence for each lane whose last opening failed."""
        return [state.trouble for state in self.lanes.values() if state.trouble]

    def _step(self, key: Key, event: Event) -> None:
        held = self.held() if isinstance(event, Announced) else ""
        moment = self._calendar.moment(self._clock.now(), held)
        self.lanes[key], effects = decide(self.lanes[key], event, self.rules[key], self.listing, moment)
        for effect in effects:
            if not self._carry_out(key, effect):
                return

    def _carry_out(self, key: Key, effect: Effect) -> bool:
        """Do one thing; return whether what comes after it may be done."""
        match effect:
            case Count(what):
                self.counts[what] += 1
            case Tell(decision):
                self._tell(decision)
            case Pulse():
                self._submit(effect)
            case Journal():
                return self._write(key, effect)
        return True

    def _write(self, key: Key, effect: Journal) -> bool:
        entry = effect.entry
        try:
            self._journal.append(entry)
        except GateError as error:
            self._journal_failed(error)
            if isinstance(entry, Intent):
                self._step(key, Unwritten(entry.token, str(error)))
                update = {"phase": "refusal", "verdict": "output failed", "reason": str(error)[:512]}
                self._answer(entry.token, entry.decision.model_copy(update=update))
                return False
        else:
            self.journal_problem = self._journal.damage
            self._shorten()
        if not isinstance(entry, Intent):
            self._answer(entry.token, entry.decision)
            if entry.outcome == "failed":
                LOG.error("%s", self.lanes[key].trouble)
        return True

    def _answer(self, token: str, decision: Decision) -> None:
        waiter = self._waiters.pop(token, None)
        if waiter is not None:
            waiter(decision)

    def _shorten(self) -> None:
        if self._journal.long:
            try:
                self._journal.compact(kept(self._journal.entries, self.lanes, self._clock.now().mono_ns))
            except GateError as error:
                self._journal_failed(error)

    def _journal_failed(self, error: GateError) -> None:
        self.counts["journal failed"] += 1
        if self.journal_problem != str(error):
            LOG.error("%s", error)
        self.journal_problem = str(error)
