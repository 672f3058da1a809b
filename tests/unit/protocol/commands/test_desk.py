"""The desk over any number of commands: who begins, who waits for what, who has to stop; nobody is forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from platefleet.protocol.clock import SECOND_NS, Instant
from platefleet.protocol.commands.desk import OPEN_MOST, Entry, Judge, Move, full, moves, told_anew
from platefleet.protocol.commands.holds import Hours, Situation, hold, holding_back
from platefleet.protocol.commands.lifecycle import (
    CancelAsked,
    Event,
    Failed,
    Held,
    Life,
    Overdue,
    Restarted,
    Started,
    Stepped,
    Stopped,
    Succeeded,
    TooLate,
    Yield,
    advance,
)
from platefleet.protocol.commands.order import Order, StepLimits, Terms
from platefleet.protocol.messages.command import Waiting

T0, MONO, HOUR = 1_795_000_000 * SECOND_NS, 10_000 * SECOND_NS, 3600 * SECOND_NS
NOW = Instant(T0, MONO)
FINE = Situation(NOW, "boot-1", True, Hours(True, ends_ns=T0 + HOUR))
HEAVY = Terms("heavy", "building", {"building": StepLimits(7200, 600)}, in_window=True, memory_bytes=1 << 30)
LIGHT = Terms("light", "taking", {"taking": StepLimits(30, 30)})
TRIAL = Terms("trial", "on trial", {"on trial": StepLimits(86_400, 120)})


def an_order(number: int, **more: object) -> Order:
    order = Order(f"c{number:03}", "build", "ada", T0 - number, T0 + HOUR, Instant(T0, MONO), "boot-1")
    return replace(order, **more)  # type: ignore[arg-type]


def an_entry(number: int = 1, terms: Terms = HEAVY, life: Life | None = None, **more: object) -> Entry:
    return Entry(an_order(number, **more), life or Life(), terms, told_ns=MONO, stepped_ns=MONO, heard_ns=MONO)


def on_desk(*entries: Entry) -> dict[str, Entry]:
    return {entry.order.id: entry for entry in entries}


running = advance(Life(), Started("building"))
lives = st.sampled_from(
    [
        Life(),
        running,
        advance(running, Stepped("building", committed=True)),
        advance(running, CancelAsked()),
        advance(running, Yield(Waiting(hold="traffic", says="a car"))),
        advance(running, Failed("no memory", passing=True, retry_at_ns=T0 + 60 * SECOND_NS)),
        advance(running, Restarted(again=True)),
        advance(Life(), Held(Waiting(hold="window", says="closed", until_ns=T0 + HOUR))),
        advance(running, Succeeded()),
        advance(Life(), CancelAsked()),
    ]
)
terms = st.builds(
    replace, st.sampled_from([HEAVY, LIGHT, TRIAL]), memory_bytes=st.sampled_from([0, 2 << 30]), anyhow=st.booleans()
)
orders = st.fixed_dictionaries(
    {
        "priority": st.integers(0, 9),
        "issued_at_ns": st.integers(T0 - 5, T0),
        "not_after_ns": st.sampled_from([T0 + HOUR, T0 + HOUR, T0 - 1]),
        "not_before_ns": st.sampled_from([None, None, T0 - 1, T0 + 60 * SECOND_NS]),
        "lives_ns": st.sampled_from([None, None, None, HOUR, 0]),
        "boot": st.sampled_from(["boot-1", "boot-0"]),
    }
)


@st.composite
def desks(draw: st.DrawFn) -> dict[str, Entry]:
    """Draw up to twelve commands; in each slot at most one runs, as everywhere."""
    found, busy = {}, set()
    for number in range(draw(st.integers(0, 12))):
        life, needs = draw(lives), draw(terms)
        if life.state == "running":
            life = life if needs.slot not in busy else Life()
            busy.add(needs.slot)
        entry = Entry(an_order(number, **draw(orders)), life, needs, *(draw(st.integers(0, MONO)) for _ in range(3)))
        found[entry.order.id] = entry
    return found


situations = st.builds(
    Situation,
    st.just(NOW),
    st.just("boot-1"),
    st.booleans(),
    st.sampled_from(
        [Hours(True, ends_ns=T0 + HOUR), Hours(False, T0 - HOUR, T0 + HOUR), Hours(False), Hours(False, T0)]
    ),
    car_mono_ns=st.sampled_from([None, MONO, MONO - 299 * SECOND_NS, MONO - 301 * SECOND_NS]),
    free_memory_bytes=st.sampled_from([1 << 20, 8 << 30]),
    temperature_c=st.sampled_from([None, 50.0, 82.0, 90.0]),
    slow_since_ns=st.sampled_from([None, MONO, MONO - 11 * SECOND_NS]),
    paused_ns=st.sampled_from([0, 121 * SECOND_NS]),
)


def begun(made: Sequence[Move | Judge]) -> list[str]:
    return [each.id for each in made if isinstance(each, Move) and isinstance(each.event, Started)]


@given(desks(), situations)
@settings(max_examples=250, deadline=None)
def test_whatever_lies_on_the_desk_each_move_is_right(entries: dict[str, Entry], now: Situation) -> None:
    made = moves(entries, now)
    assert max(Counter(each.id for each in made).values(), default=0) <= 1, "one move a command"
    slots = Counter(entries[id_].terms.slot for id_ in begun(made))
    slots.update(entry.terms.slot for entry in entries.values() if entry.life.state == "running")
    assert max(slots.values(), default=0) <= 1, "one at a time in each slot"
    for each in made:
        entry = entries[each.id]
        assert not entry.life.over
        if isinstance(each, Judge):
            assert now.clock_good
            assert entry.order.lives_ns is not None
            continue
        assert advance(entry.life, each.event) is not entry.life, "a move changes something"
        match each.event:
            case Started(step):
                assert step == entry.terms.first_step
                assert hold(entry.order, entry.life, entry.terms, now) is None
                assert entry.order.lives_ns is None, "nothing begins whose times nobody judged"
                assert now.now.utc_ns <= entry.order.not_after_ns or not now.clock_good
            case Yield(why):
                assert holding_back(entry.terms, now) == why
                assert not entry.life.committed
            case Held(why):
                assert told_anew(entry, why, MONO)
            case _:
                pass


@given(desks(), situations)
@settings(max_examples=250, deadline=None)
def test_of_those_that_may_begin_the_highest_and_oldest_does(entries: dict[str, Entry], now: Situation) -> None:
    made = moves(entries, now)
    moved = {each.id: each for each in made}
    for id_ in begun(made):
        first = entries[id_]
        for other, entry in entries.items():
            if other == id_ or entry.life.state == "running" or entry.life.over or entry.terms.slot != first.terms.slot:
                continue
            move = moved.get(other)
            if isinstance(move, Judge) or (isinstance(move, Move) and isinstance(move.event, TooLate)):
                continue
            if hold(entry.order, entry.life, entry.terms, now) is None:
                ours, theirs = (each.order for each in (first, entry))
                assert (-ours.priority, ours.issued_at_ns) <= (-theirs.priority, theirs.issued_at_ns)


@given(desks(), situations)
@settings(max_examples=100, deadline=None)
def test_a_free_slot_is_given_to_somebody_who_may_have_it(entries: dict[str, Entry], now: Situation) -> None:
    made = moves(entries, now)
    given_to = {entries[id_].terms.slot for id_ in begun(made)}
    taken = {entry.terms.slot for entry in entries.values() if entry.life.state == "running"}
    late = {each.id for each in made if isinstance(each, Judge) or isinstance(each.event, TooLate)}
    for id_, entry in entries.items():
        if not entry.life.over and entry.life.state != "running" and id_ not in late:
            may = hold(entry.order, entry.life, entry.terms, now) is None
            assert not may or entry.terms.slot in taken | given_to


class Nights(RuleBasedStateMachine):
    """Commands come, tries end in every way, things get worse and better; then all is well, and all come to an end."""

    @initialize()
    def begin(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.now = FINE
        self.number = 0

    def happen(self, id_: str, event: Event) -> None:
        entry, mono_ns = self.entries[id_], self.now.now.mono_ns
        life = advance(entry.life, event)
        stepped = mono_ns if isinstance(event, Started) else entry.stepped_ns
        self.entries[id_] = replace(entry, life=life, told_ns=mono_ns, stepped_ns=stepped, heard_ns=mono_ns)

    def tick(self, seconds: float) -> None:
        now, step_ns = self.now.now, round(seconds * SECOND_NS)
        self.now = replace(self.now, now=Instant(now.utc_ns + step_ns, now.mono_ns + step_ns))
        for move in moves(self.entries, self.now):
            if isinstance(move, Judge):
                entry = self.entries[move.id]
                self.entries[move.id] = replace(entry, order=replace(entry.order, lives_ns=None))
            else:
                self.happen(move.id, move.event)

    def end(self, id_: str, how: Event) -> None:
        life = self.entries[id_].life
        if life.state == "running":
            self.happen(id_, Stopped() if life.stopping is not None else how)

    @rule(needs=st.sampled_from([HEAVY, LIGHT, TRIAL]), priority=st.integers(0, 9), judged=st.booleans())
    def a_command_comes(self, needs: Terms, priority: int, judged: bool) -> None:
        if full(self.entries):
            return
        self.number += 1
        utc_ns, mono_ns = self.now.now.utc_ns, self.now.now.mono_ns
        entry = an_entry(
            self.number,
            needs,
            priority=priority,
            issued_at_ns=utc_ns,
            not_after_ns=utc_ns + 200 * HOUR,
            received=self.now.now,
            lives_ns=None if judged else 200 * HOUR,
        )
        self.entries[entry.order.id] = replace(entry, told_ns=mono_ns)

    @rule(seconds=st.sampled_from([1, 30, 600]))
    def time_goes_on(self, seconds: int) -> None:
        self.tick(seconds)

    @precondition(lambda self: bool(self.entries))
    @rule(
        data=st.data(),
        how=st.sampled_from([Succeeded(), Failed("no memory", passing=True), Failed("broken"), Restarted(again=True)]),
    )
    def a_try_ends(self, data: st.DataObject, how: Event) -> None:
        self.end(data.draw(st.sampled_from(sorted(self.entries))), how)

    @precondition(lambda self: bool(self.entries))
    @rule(data=st.data())
    def somebody_cancels(self, data: st.DataObject) -> None:
        self.happen(data.draw(st.sampled_from(sorted(self.entries))), CancelAsked())

    @rule(open=st.booleans(), clock=st.booleans(), car=st.booleans(), hot=st.booleans(), free=st.booleans())
    def things_change(self, open: bool, clock: bool, car: bool, hot: bool, free: bool) -> None:  # noqa: A002
        self.now = replace(
            self.now,
            hours=Hours(open),
            clock_good=clock,
            car_mono_ns=self.now.now.mono_ns if car else None,
            temperature_c=90.0 if hot else 40.0,
            free_memory_bytes=8 << 30 if free else 1 << 20,
        )

    @invariant()
    def one_runs_in_each_slot_and_the_queue_is_bounded(self) -> None:
        entries = getattr(self, "entries", {}).values()
        slots = Counter(entry.terms.slot for entry in entries if entry.life.state == "running")
        assert max(slots.values(), default=0) <= 1
        assert sum(not entry.life.over for entry in entries) <= OPEN_MOST

    def teardown(self) -> None:
        """Nobody starves: once all is well, each command comes to its end, one after another."""
        if not hasattr(self, "entries"):
            return
        self.now = replace(FINE, now=self.now.now, hours=Hours(True))
        for _ in range(4 * OPEN_MOST):
            self.tick(3601)
            for id_ in list(self.entries):
                self.end(id_, Succeeded())
        assert [id_ for id_, entry in self.entries.items() if not entry.life.over] == []


TestNights = Nights.TestCase
TestNights.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


def only(made: Sequence[Move | Judge]) -> Event:
    assert len(made) == 1
    assert isinstance(made[0], Move)
    return made[0].event


def test_a_step_that_takes_longer_than_it_may_is_overdue() -> None:
    began = replace(an_entry(life=running), stepped_ns=MONO - 7201 * SECOND_NS, heard_ns=MONO)
    event = only(moves(on_desk(began), FINE))
    assert event == Overdue("building took longer than the 7200 s that it may")


def test_a_step_of_which_nothing_is_heard_hangs() -> None:
    quiet = replace(an_entry(life=running), stepped_ns=MONO - 601 * SECOND_NS, heard_ns=MONO - 601 * SECOND_NS)
    assert only(moves(on_desk(quiet), FINE)) == Overdue("nothing was heard of building for 600 s")


def test_a_step_at_its_limits_may_go_on() -> None:
    at = replace(an_entry(life=running), stepped_ns=MONO - 7200 * SECOND_NS, heard_ns=MONO - 600 * SECOND_NS)
    assert moves(on_desk(at), FINE) == []


def test_a_window_that_never_opens_ends_it_with_that_reason() -> None:
    never = replace(FINE, hours=Hours(False, says="the window never opens; give it hours with set-window"))
    held = only(moves(on_desk(an_entry()), never))
    entry = replace(an_entry(), life=advance(Life(), held))
    late = replace(never, now=Instant(T0 + HOUR + 1, MONO + HOUR))
    assert advance(entry.life, only(moves(on_desk(entry), late))).reason == (
        "its time was over before it could begin; it waited: the window never opens; give it hours with set-window"
    )


def test_without_a_clock_it_waits_for_one_and_its_time_runs_all_the_same() -> None:
    blind = replace(FINE, clock_good=False)
    entry = an_entry(lives_ns=HOUR)
    event = only(moves(on_desk(entry), blind))
    assert isinstance(event, Held)
    assert event.why.hold == "clock"
    later = replace(blind, now=Instant(0, MONO + HOUR + 1))
    assert only(moves(on_desk(entry), later)) == TooLate()


def test_when_the_clock_is_good_it_is_judged_before_it_begins() -> None:
    assert moves(on_desk(an_entry(lives_ns=HOUR)), FINE) == [Judge("c001")]


def test_what_waits_for_its_turn_says_whose() -> None:
    busy, next_ = an_entry(1, life=running), an_entry(2)
    assert only(moves(on_desk(busy, next_), FINE)) == Held(
        Waiting(hold="command", says="build c001 runs; one such at a time")
    )


def test_what_was_told_is_not_told_again_every_second() -> None:
    why = Waiting(hold="traffic", says="last car 40 s ago", until_ns=T0 + 260 * SECOND_NS)
    entry = replace(an_entry(), life=advance(Life(), Held(why)))
    assert not told_anew(entry, replaced(why, says="last car 41 s ago"), MONO + SECOND_NS)
    assert told_anew(entry, replaced(why, says="last car 41 s ago"), MONO + 601 * SECOND_NS)
    assert told_anew(entry, replaced(why, until_ns=T0 + 900 * SECOND_NS), MONO + 61 * SECOND_NS)
    assert told_anew(entry, replaced(why, hold="memory"), MONO)


def replaced(why: Waiting, **more: object) -> Waiting:
    return why.model_copy(update=more)


def test_the_thirty_third_open_command_finds_the_desk_full() -> None:
    entries = on_desk(*(an_entry(number) for number in range(OPEN_MOST)))
    assert full(entries)
    over = replace(entries["c000"], life=advance(Life(), CancelAsked()))
    assert not full({**entries, "c000": over})
