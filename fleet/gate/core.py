"""The gate's decisions carried out: states in memory, effects in their order. Owned by one thread; I/O is handed in."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from platefleet.fleet.gate import identity as who
from platefleet.fleet.gate.alarm import Alarm, alarm_of
from platefleet.fleet.gate.calendar import Calendar
from platefleet.fleet.gate.circumstances import Circumstances, Turn
from platefleet.fleet.gate.decide import decide, steered
from platefleet.fleet.gate.facts import (
    Announced,
    ByHand,
    Count,
    Effect,
    Event,
    Intent,
    Journal,
    LaneState,
    Moment,
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
from platefleet.fleet.gate.replay import Entry, Known, Past, Started, closed
from platefleet.fleet.gate.telling import Telling
from platefleet.fleet.gate.verdicts import Listing
from platefleet.fleet.gate.writing import Writing
from platefleet.protocol.clock import MILLISECOND_NS, SECOND_NS, Clock
from platefleet.protocol.errors import GateError
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import Decision

LOG = logging.getLogger(__name__)
Answered = Callable[[Decision], None]


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
        circumstances: Circumstances | None = None,
        sound: Callable[[Alarm], None] = lambda _: None,
        counts: Counter[str] | None = None,
    ) -> None:
        self.listing = listing
        self.lanes: dict[Key, LaneState] = {key: past.lanes.get(key, LaneState()) for key in rules}
        self.identity = who.Identity(past.incarnations)
        self.counts = counts if counts is not None else Counter()
        self.rules = rules
        self._journal = journal
        self._past = past
        self._gate = next((rule.gate for rule in rules.values()), "")
        self._clock = clock
        self._calendar = calendar
        self._submit = submit
        self._said = said
        self._telling = telling
        self._circumstances = circumstances
        self._steering: dict[str, Key] = {}
        self._sound = sound
        self._writing = Writing(journal, clock, self.counts, lambda why: sound(Alarm("journal", why, self._gate)))
        self._waiters: dict[str, Answered] = {}

    def begin(self, *, alarmed: int | None = None) -> None:
        """Note the start, close what a crash left open, and tell what the outbox was not told.

        alarmed: the number up to which the journal's failures have been alarmed; None: nobody knows, so only what is
        found now is.
        """
        now = self._clock.now()
        alarmed = self._journal.last if alarmed is None else alarmed
        self._writing.append(Started(now.utc_ns, self._telling is not None))
        if self._telling is None:
            return
        for intent in self._past.dangling:
            result = closed(intent, self._calendar.moment(now).stamp)
            if not self._writing.append(result):
                self._writing.owe(result)
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
        self._step(key, ByHand(self._token(answered), reason))

    def hold(self, key: Key, reason: str, for_s: int, answered: Answered) -> None:
        """Hold a lane open because a person says so."""
        self._steer(key, self._around().hold(key, reason, self._now().mono_ns + for_s * SECOND_NS), reason, answered)

    def release(self, key: Key, reason: str, answered: Answered) -> None:
        """Release a lane because a person says so."""
        self._steer(key, self._around().release(key, reason, self._now()), reason, answered)

    def forgive(self, plate: str) -> bool:
        """Take a plate as outside of every area, because a person says so; return whether it was inside one."""
        return self._around().forgive(plate)

    def open_lanes(self) -> list[str]:
        """Return a sentence for each lane that is held open."""
        return [] if self._circumstances is None else self._circumstances.open_lanes()

    def tick(self) -> None:
        """Give up on outputs that do not answer; write and tell what could not be so far."""
        self._writing.again()
        if self._telling is not None:
            self._telling.rest()
        if self._circumstances is not None:
            now = self._now()
            self._circumstances.expire(now)
            for key in self.rules:
                turn = self._circumstances.turned(key, now)
                if turn is not None:
                    self._steer(key, *turn, lambda _: None)
        for key, state in self.lanes.items():
            if state.pending:
                self._step(key, Tick())

    def know(self, incarnation: str) -> None:
        """Remember an incarnation of this machine, durably: its will may come after a restart."""
        self.note(incarnation)
        self._writing.append(Known(incarnation))

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

    @property
    def journal_problem(self) -> str:
        """What is wrong with the journal, empty if nothing."""
        return self._writing.problem

    def troubles(self) -> list[str]:
        """Return a sentence for each lane whose last opening failed."""
        return [state.trouble for state in self.lanes.values() if state.trouble]

    def _steer(self, key: Key, turn: Turn, reason: str, answered: Answered) -> None:
        """Tell the lane's output that it is held open or released, if it has one for that; then remember it."""
        around = self._around()
        output = around.holds[key].hold if turn == "held open" else around.holds[key].release
        LOG.warning("lane %s: %s, %s", "/".join(key), turn, reason)
        if output:
            token = self._token(answered)
            self._steering[token] = key
            self._step(key, ByHand(token, reason, output, turn))
        else:
            said = steered(self.rules[key], self._now(), turn, reason)
            self._tell(said)
            answered(said)
        around.keep(key)

    def _steered(self, result: Result) -> None:
        """Hold a lane open no longer whose output failed to: its vehicles are let in one by one."""
        key = self._steering.pop(result.token, None)
        if key is not None and result.outcome != "opened" and self._circumstances is not None:
            self._circumstances.release(key, result.decision.reason, self._now())
            self._circumstances.keep(key)

    def _around(self) -> Circumstances:
        if self._circumstances is None:
            raise GateError("this needs the running controller; start it with `platefleet gate run`.")
        return self._circumstances

    def _now(self) -> Moment:
        return self._calendar.moment(self._clock.now())

    def _token(self, answered: Answered) -> str:
        token = uuid7(max(0, self._clock.now().utc_ns) // MILLISECOND_NS, os.urandom(10))
        self._waiters[token] = answered
        return token

    def _step(self, key: Key, event: Event) -> None:
        held = self.held() if isinstance(event, Announced) else ""
        moment = self._calendar.moment(self._clock.now(), held)
        if self._circumstances is not None:
            moment = self._circumstances.of(key, moment)
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
        written = self._writing.append(entry)
        if not written and isinstance(entry, Intent) and entry.plate:
            self._step(key, Unwritten(entry.token, self.journal_problem))
            return False
        if not written:
            # It has moved, or a person stands there and sees what moves: that goes on, and is written when it can be.
            self._writing.owe(entry)
        if isinstance(entry, Result):
            self._steered(entry)
            self._answer(entry.token, entry.decision)
            if entry.outcome == "failed":
                LOG.error("%s", self.lanes[key].trouble)
            self._alarm(self._journal.entries[-1] if written else entry)
        if written and self._telling is not None:
            self._writing.shorten(self.lanes, self._telling.told)
        return True

    def _alarm(self, entry: Entry) -> None:
        alarm = alarm_of(entry) if isinstance(entry, Result) else None
        if alarm is not None:
            self._sound(alarm)

    def _answer(self, token: str, decision: Decision) -> None:
        waiter = self._waiters.pop(token, None)
        if waiter is not None:
            waiter(decision)
