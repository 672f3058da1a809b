"""The gate's decisions carried out: states in memory, effects in their order. Owned by one thread; I/O is handed in."""

from __future__ import annotations

import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from platefleet.fleet.gate import identity as who
from platefleet.fleet.gate.alarm import Alarm, alarm_of
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
    Result,
    Rule,
    Tell,
    Tick,
    Unwritten,
)
from platefleet.fleet.gate.hearing import Key
from platefleet.fleet.gate.journal import Journal as JournalFile
from platefleet.fleet.gate.replay import Entry, Known, Past, Started, closed, kept
from platefleet.fleet.gate.telling import Telling
from platefleet.fleet.gate.verdicts import Listing
from platefleet.protocol.clock import MILLISECOND_NS, SECOND_NS, Clock
from platefleet.protocol.errors import GateError
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import Decision

LOG = logging.getLogger(__name__)
Answered = Callable[[Decision], None]
OWED_MOST = 256
"""Entries that wait for a journal that can be written: of what a person opened, and of what had begun to move."""
OWED_AGAIN_NS = 2 * SECOND_NS


class Core:
    """Every lane's state, and the hands that carry out what `decide` says.

    submit: hands a pulse to its output; the answer comes back through `moved`. said: hears each decision as it is made.
    telling: the outbox's writing side, None for a person who opens while no controller runs. sound: raises an alarm.
    counts: what was left alone or went wrong, by name.
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
        said: Callable[[Decision], None] = lambda _: None,
        telling: Telling | None = None,
        sound: Callable[[Alarm], None] = lambda _: None,
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
        self._gate = next((rule.gate for rule in rules.values()), "")
        self._clock = clock
        self._calendar = calendar
        self._submit = submit
        self._said = said
        self._telling = telling
        self._sound = sound
        self._waiters: dict[str, Answered] = {}
        self._owed: deque[Entry] = deque()
        self._owed_at_ns = 0

    def begin(self, *, alarmed: int | None = None) -> None:
        """Note the start, close what a crash left open, and tell what the outbox was not told.

        alarmed: the number up to which the journal's failures have been alarmed; None: nobody knows, so only what is
        found now is.
        """
        now = self._clock.now()
        alarmed = self._journal.last if alarmed is None else alarmed
        self._append(Started(now.utc_ns, self._telling is not None))
        if self._telling is None:
            return
        for intent in self._past.dangling:
            result = closed(intent, self._calendar.moment(now).stamp)
            if not self._append(result):
                self._owe(result)
            self.counts["crashed"] += 1
            asked = intent.decision
            trouble = f"lane {asked.device}/{asked.lane}: {result.decision.reason}"
            LOG.error("%s", trouble)
            key = (asked.device or "", asked.lane)
            if key in self.lanes:
                self.lanes[key] = replace(self.lanes[key], trouble=trouble)
        for entry in self._journal.after(alarmed):
            self._alarm(entry)
        self._telling.rest()

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
        """Give up on outputs that do not answer; write and tell what could not be so far."""
        if self._owed and self._clock.now().mono_ns >= self._owed_at_ns and self._pay():
            self.journal_problem = self._journal.damage
        if self._telling is not None:
            self._telling.rest()
        for key, state in self.lanes.items():
            if state.pending:
                self._step(key, Tick())

    def know(self, incarnation: str) -> None:
        """Remember an incarnation of this machine, durably: its will may come after a restart."""
        self.note(incarnation)
        self._append(Known(incarnation))

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
            self._sound(Alarm("another machine", self.held(), self._gate))

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

    def _tell(self, decision: Decision) -> None:
        self._said(decision)
        if self._telling is not None:
            if decision.phase == "refusal":
                self._telling.refusal(decision)
            else:  # it is in the journal, and told from there
                self._telling.rest()

    def _write(self, key: Key, effect: Journal) -> bool:
        entry = effect.entry
        written = self._append(entry)
        if not written and isinstance(entry, Intent) and entry.plate:
            self._step(key, Unwritten(entry.token, self.journal_problem))
            return False
        if not written:
            # It has moved, or a person stands there and sees what moves: that goes on, and is written when it can be.
            self._owe(entry)
        if isinstance(entry, Result):
            self._answer(entry.token, entry.decision)
            if entry.outcome == "failed":
                LOG.error("%s", self.lanes[key].trouble)
            self._alarm(self._journal.entries[-1] if written else entry)
        if written:
            self._shorten()
        return True

    def _append(self, entry: Entry) -> bool:
        """Make an entry durable, after those that are owed; return whether it is."""
        if self._owed and not self._pay():
            return False
        try:
            self._journal.append(entry)
        except GateError as error:
            self._journal_failed(error)
            return False
        self.journal_problem = self._journal.damage
        return True

    def _pay(self) -> bool:
        """Write what is owed; return whether nothing is any more."""
        while self._owed:
            try:
                self._journal.append(self._owed[0])
            except GateError as error:
                self._journal_failed(error)
                return False
            self._owed.popleft()
        return True

    def _owe(self, entry: Entry) -> None:
        if len(self._owed) >= OWED_MOST:
            self._owed.popleft()
            self.counts["entries lost"] += 1
        self._owed.append(entry)

    def _alarm(self, entry: Entry) -> None:
        alarm = alarm_of(entry) if isinstance(entry, Result) else None
        if alarm is not None:
            self._sound(alarm)

    def _answer(self, token: str, decision: Decision) -> None:
        waiter = self._waiters.pop(token, None)
        if waiter is not None:
            waiter(decision)

    def _shorten(self) -> None:
        if self._journal.long and self._telling is not None:
            now_ns = self._clock.now().mono_ns
            try:
                self._journal.compact(kept(self._journal.entries, self.lanes, now_ns, self._telling.told))
            except GateError as error:
                self._journal_failed(error)

    def _journal_failed(self, error: GateError) -> None:
        self.counts["journal failed"] += 1
        self._owed_at_ns = self._clock.now().mono_ns + OWED_AGAIN_NS
        if self.journal_problem != str(error):
            LOG.error("%s", error)
            self._sound(Alarm("journal", str(error), self._gate))
        self.journal_problem = str(error)
