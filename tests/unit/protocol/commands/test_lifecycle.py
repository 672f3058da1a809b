"""What may become of a command: which event may lead where, and what never happens, over any history."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from platefleet.protocol.commands.lifecycle import (
    ATTEMPTS,
    RESTARTS,
    TERMINAL,
    YIELDS,
    CancelAsked,
    Disallowed,
    Event,
    Failed,
    Held,
    Life,
    Overdue,
    Restarted,
    RolledBack,
    Started,
    Stepped,
    Stopped,
    Succeeded,
    TooLate,
    Yield,
    advance,
)
from platefleet.protocol.messages.command import STATES, Waiting

QUIET, RUNNING = ("accepted", "waiting"), ("running",)
MAY: dict[type, tuple[tuple[str, ...], set[str]]] = {
    Held: (QUIET, {"waiting"}),
    Started: (QUIET, {"running"}),
    Stepped: (RUNNING, {"running"}),
    Succeeded: (RUNNING, {"succeeded"}),
    Failed: (RUNNING, {"waiting", "failed", "cancelled"}),
    RolledBack: (RUNNING, {"rolled_back", "cancelled"}),
    CancelAsked: ((*QUIET, *RUNNING), {"running", "cancelled"}),
    Yield: (RUNNING, {"running"}),
    Overdue: (RUNNING, {"running"}),
    Stopped: (RUNNING, {"waiting", "failed", "cancelled"}),
    Restarted: (RUNNING, {"waiting", "failed", "cancelled"}),
    TooLate: (QUIET, {"expired"}),
    Disallowed: (QUIET, {"rejected"}),
}
"""For each event: in which states it says anything, and what the command may be afterwards."""

says = st.sampled_from(["the disk is full", "cars kept coming", "x" * 600])
waits = st.builds(Waiting, hold=st.sampled_from(["window", "traffic", "retry", "clock"]), says=st.just("for a reason"))
steps = st.sampled_from(["preparing", "building", "evaluating"])
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Held, waits),
    st.builds(Started, steps),
    st.builds(Stepped, steps, st.booleans()),
    st.just(Succeeded()),
    st.builds(Failed, says, st.booleans(), st.none() | st.just(10**18)),
    st.builds(RolledBack, says),
    st.just(CancelAsked()),
    st.builds(Yield, waits),
    st.builds(Overdue, says),
    st.just(Stopped()),
    st.builds(Restarted, st.booleans(), says),
    st.just(TooLate()),
    st.builds(Disallowed, says),
)


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.life = Life()
        self.committed_in: int | None = None
        """The try in which the point of no return was passed."""
        self.cancelled_in: int | None = None

    def happen(self, event: Event) -> None:
        before, self.life = self.life, advance(self.life, event)
        after = self.life
        states, leads = MAY[type(event)]
        if before.state in TERMINAL or before.state not in states:
            assert after is before, "an event that says nothing changes nothing"
        elif after is not before:
            assert after.state in leads
        assert after.attempt - before.attempt == (after.state == "running" and before.state != "running")
        assert (after.failures, after.restarts, after.yields) >= (before.failures, before.restarts, before.yields)
        if before.committed and before.attempt == after.attempt and before.state == "running":
            assert not (isinstance(event, CancelAsked) and after is not before), "too late to cancel"
            assert after.stopping != "cancelled"
        if after.committed and after.state == "running":
            self.committed_in = after.attempt
        if after.stopping == "cancelled":
            self.cancelled_in = after.attempt
        if after.state == "cancelled" and before.state == "running":
            assert self.cancelled_in == before.attempt, "only what somebody cancelled is cancelled"
            assert self.committed_in != before.attempt, "past the point of no return nothing is cancelled"

    @rule(event=events)
    def anything(self, event: Event) -> None:
        self.happen(event)

    @precondition(lambda self: not self.life.over)
    @rule(passing=st.booleans())
    def a_try_that_fails(self, passing: bool) -> None:
        self.happen(Started("preparing"))
        self.happen(Failed("by something", passing or self.life.failures == 0, None))

    @precondition(lambda self: not self.life.over)
    @rule()
    def a_try_that_makes_room(self) -> None:
        self.happen(Started("preparing"))
        self.happen(Yield(Waiting(hold="traffic", says="a car")))
        self.happen(Stopped())

    @precondition(lambda self: not self.life.over)
    @rule()
    def a_try_that_the_agents_end_cuts_off(self) -> None:
        self.happen(Started("preparing"))
        self.happen(Restarted(again=True))

    @precondition(lambda self: not self.life.over)
    @rule()
    def a_cancel_past_the_point_of_no_return(self) -> None:
        self.happen(Started("preparing"))
        self.happen(Stepped("switching", committed=True))
        self.happen(CancelAsked())

    @invariant()
    def all_is_bounded(self) -> None:
        life = self.life
        assert life.state in STATES
        assert (life.failures <= ATTEMPTS, life.restarts <= RESTARTS, life.yields < YIELDS) == (True, True, True)
        assert life.attempt <= (ATTEMPTS - 1) + (RESTARTS - 1) + (YIELDS - 1) + 1
        assert len(life.reason) <= 600

    @invariant()
    def what_it_says_fits_its_state(self) -> None:
        life = self.life
        assert life.stopping is None or life.state == "running"
        assert life.why is None or life.state in {"waiting", "running"}
        assert (life.state == "running") <= (life.attempt > 0)
        assert not life.over or (life.stopping is None and life.why is None)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def after(*happened: Event, life: Life | None = None) -> Life:
    life = life or Life()
    for event in happened:
        life = advance(life, event)
    return life


RUNS = after(Started("preparing"))


def test_every_event_has_its_line_in_the_table() -> None:
    assert set(MAY) == set(Event.__args__)  # type: ignore[attr-defined]


def test_a_cancel_that_comes_twice_changes_nothing_the_second_time() -> None:
    cancelled = after(CancelAsked(), life=RUNS)
    assert advance(cancelled, CancelAsked()) is cancelled


def test_a_cancel_of_what_makes_room_already_ends_it() -> None:
    yielding = after(Yield(Waiting(hold="traffic", says="a car")), life=RUNS)
    assert after(CancelAsked(), Stopped(), life=yielding).state == "cancelled"


def test_what_was_told_to_stop_and_comes_to_its_end_all_the_same_has_succeeded() -> None:
    assert after(CancelAsked(), Succeeded(), life=RUNS).state == "succeeded"


def test_the_point_of_no_return_is_not_passed_once_it_was_told_to_stop() -> None:
    assert not after(CancelAsked(), Stepped("switching", committed=True), life=RUNS).committed


def test_a_new_try_may_be_cancelled_again() -> None:
    again = after(Stepped("switching", committed=True), Restarted(again=True), Started("preparing"), life=RUNS)
    assert after(CancelAsked(), life=again).stopping == "cancelled"


def test_a_passing_failure_is_tried_five_times() -> None:
    life = Life()
    for number in range(1, ATTEMPTS + 1):
        life = after(Started("preparing"), Failed("no memory", passing=True, retry_at_ns=7), life=life)
        assert life.state == ("waiting" if number < ATTEMPTS else "failed")
    assert life.reason == "no memory (after 5 tries)"


def test_what_ends_the_agent_three_times_is_to_blame_itself() -> None:
    life = Life()
    for number in range(1, RESTARTS + 1):
        life = after(Started("building"), Restarted(again=True), life=life)
        assert life.state == ("waiting" if number < RESTARTS else "failed")
    assert life.reason == "the agent began anew 3 times while it ran, the last time in building"


def test_making_room_for_the_barrier_is_no_failure_until_it_never_ends() -> None:
    life = Life()
    for number in range(1, YIELDS + 1):
        why = Waiting(hold="traffic", says="a car")
        life = after(Started("building"), Yield(why), Stopped(), life=life)
        assert life.state == ("waiting" if number < YIELDS else "failed")
    assert life.failures == 0


def test_what_never_could_begin_says_what_it_waited_for() -> None:
    held = after(Held(Waiting(hold="window", says="the window opens at 22:00")), TooLate())
    assert (held.state, held.reason) == (
        "expired",
        "its time was over before it could begin; it waited: the window opens at 22:00",
    )
