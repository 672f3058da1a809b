"""At most one pulse a pass, whatever comes twice, late, out of order, revised, and across restarts at any point."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from platefleet.fleet.gate.decide import decide
from platefleet.fleet.gate.facts import (
    Announced,
    Effect,
    Event,
    Journal,
    LaneState,
    Moved,
    Outcome,
    Pulse,
    Tick,
    Unwritten,
)
from platefleet.fleet.gate.journal_lines import decoded, encoded
from platefleet.fleet.gate.replay import Entry, closed, kept, replay
from tests.gate_builders import BOOT, ON_THE_LIST, RULE, a_list, a_moment, an_event

OTHER_BOOT = "22222222-2222-2222-2222-222222222222"
PASSES = st.integers(0, 2)
TEXTS = st.sampled_from([ON_THE_LIST, ON_THE_LIST, "XYZ789", "STRANGER", ""])
OUTCOMES: list[Outcome] = ["opened", "failed", "withdrawn"]
AGES = st.sampled_from([0, 100, 100, 1000, 4999, 5000, 9000, None])
RARELY = st.sampled_from([False, False, False, False, True])


class Machine(RuleBasedStateMachine):
    """One lane with a journal that survives and a memory that does not. A crash falls between any two effects."""

    @initialize()
    def begin(self) -> None:
        self.state = LaneState()
        self.journal: list[Entry] = []
        self.seconds = 0.0
        self.boot = BOOT
        self.lists = [a_list(ON_THE_LIST, "XYZ789"), a_list("XYZ789"), a_list("ELSE1")]
        self.listing = self.lists[0]
        self.moved: Counter[str] = Counter()
        self.waiting: list[str] = []
        self.answered: list[str] = []

    def event(self, event: Event, *, crash_after: int | None = None, held: str = "") -> None:
        moment = a_moment(self.seconds, held=held, boot=self.boot)
        self.state, effects = decide(self.state, event, RULE, self.listing, moment)
        self.carry_out(event, effects, crash_after)

    def carry_out(self, event: Event, effects: tuple[Effect, ...], crash_after: int | None) -> None:
        done: list[Effect] = []
        for effect in effects if crash_after is None else effects[:crash_after]:
            match effect:
                case Journal(entry):
                    self.journal.append(entry)
                case Pulse(token):
                    assert any(isinstance(e, Journal) for e in done), "moved before its intent was durable"
                    assert isinstance(event, Announced)
                    assert event.age_ms is not None
                    assert event.age_ms < RULE.age_limit_ms
                    assert event.event.direction != "receding"
                    assert not event.event.final
                    self.moved[token] += 1
                    self.waiting.append(token)
            done.append(effect)
        if crash_after is not None and crash_after < len(effects):
            self.restart()

    @rule(
        number=PASSES,
        text=TEXTS,
        revision=st.integers(1, 4),
        final=RARELY,
        direction=st.sampled_from(["approaching", "approaching", "unknown", "receding"]),
        age_ms=AGES,
        crash_after=st.sampled_from([None, None, None, None, 0, 1, 2]),
        held=st.sampled_from(["", "", "", "another machine"]),
    )
    def announce(
        self,
        *,
        number: int,
        text: str,
        revision: int,
        final: bool,
        direction: str,
        age_ms: int | None,
        crash_after: int | None,
        held: str,
    ) -> None:
        unread = None if text else "illegible"
        event = an_event(text, number=number, revision=revision, final=final, direction=direction, unread=unread)
        self.event(Announced(event, age_ms), crash_after=crash_after, held=held)

    @rule(number=PASSES, after_s=st.sampled_from([0.0, 2.0, 16.0]), crash_after=st.sampled_from([None, None, 1, 2]))
    def stand(self, number: int, after_s: float, crash_after: int | None) -> None:
        """Nothing is wrong with it, and it is announced again and again."""
        self.seconds += after_s
        self.event(Announced(an_event(number=number, revision=3), 100), crash_after=crash_after)

    @rule(outcome=st.sampled_from(OUTCOMES), which=st.integers(0, 9))
    def answer(self, outcome: Outcome, which: int) -> None:
        if self.waiting:
            token = self.waiting.pop(which % len(self.waiting))
            self.answered.append(token)
            if outcome == "withdrawn":
                self.moved[token] -= 1
            self.event(Moved(token, outcome, ""))

    @rule(which=st.integers(0, 9))
    def answer_twice(self, which: int) -> None:
        if self.answered:
            self.event(Moved(self.answered[which % len(self.answered)], "opened", ""))
            self.event(Unwritten(self.answered[which % len(self.answered)], "a lie"))

    @rule(seconds=st.sampled_from([0.5, 2.0, 16.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.seconds += seconds
        self.event(Tick())

    @rule(which=st.integers(0, 2))
    def a_new_list(self, which: int) -> None:
        self.listing = self.lists[which]

    @rule()
    def restart(self) -> None:
        """Everything in memory is gone; the journal is read from its bytes."""
        entries, bad, torn = decoded(b"".join(encoded(entry) for entry in self.journal))
        assert (entries, bad, torn) == (self.journal, 0, False)
        moment = a_moment(self.seconds, boot=self.boot)
        past = replay(entries, self.boot, moment.mono_ns)
        self.state = past.lanes.get(RULE.key, LaneState())
        self.journal += [closed(intent, moment.stamp) for intent in past.dangling]
        self.waiting.clear()

    @rule()
    def reboot(self) -> None:
        """A new boot: its clock starts afresh and says nothing about the old one."""
        self.boot = OTHER_BOOT if self.boot == BOOT else BOOT
        self.seconds = 0.0
        self.restart()

    @rule()
    def shorten(self) -> None:
        now_ns = a_moment(self.seconds).mono_ns
        self.journal = kept(self.journal, {RULE.key: self.state}, now_ns, told=0)

    @invariant()
    def once(self) -> None:
        assert all(count <= 1 for count in self.moved.values())


TestOnce = Machine.TestCase
TestOnce.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
