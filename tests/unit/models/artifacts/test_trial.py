"""The way of an artifact from chosen to confirmed or given up, whatever happens in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from platefleet.models.artifacts.trial import (
    Announce,
    BeginWatch,
    Calm,
    Chosen,
    Compared,
    Confirm,
    Crowded,
    Drop,
    Effect,
    Event,
    Failed,
    Idle,
    Loading,
    Open,
    Opened,
    Proven,
    PutBack,
    Replace,
    Replacing,
    RollBack,
    Shadowing,
    State,
    Swap,
    SwapBack,
    Swapped,
    Swapping,
    Waiting,
    Watching,
    Withdrawn,
    decide,
)

PLATE = Chosen("plate", "a" * 32)
SETTLED = Chosen("plate", "b" * 32, trial=False)


def run(*events: Event, state: State | None = None) -> tuple[State, list[Effect]]:
    state, done = state or Idle(), []
    for event in events:
        state, effects = decide(state, event)
        done += effects
    return state, done


def test_a_candidate_that_does_well_is_confirmed() -> None:
    events = [PLATE, Opened(), Compared(1, 0, ready=False), Compared(1, 0, ready=True), Swapped(2.0), Proven()]
    assert run(*events) == (Idle(), [Open(PLATE), Swap(PLATE), BeginWatch(PLATE), Confirm(PLATE), Drop(PLATE)])


def test_what_is_settled_already_is_swapped_in_and_not_watched() -> None:
    assert run(SETTLED, Opened(), Swapped(2.0)) == (Idle(), [Open(SETTLED), Swap(SETTLED), Drop(SETTLED)])


def test_one_that_cannot_be_opened_never_serves() -> None:
    assert run(PLATE, Failed("is damaged")) == (Idle(), [Open(PLATE), Drop(PLATE), RollBack(PLATE, "is damaged")])


def test_one_that_loses_much_in_the_shadow_never_serves() -> None:
    state, done = run(PLATE, Opened(), *[Compared(1, 1, ready=False)] * 5)
    assert state == Idle()
    assert done[1:] == [Drop(PLATE), RollBack(PLATE, "beside what runs it lost 5 of 5 finds in 5 frames")]


def test_a_watch_that_is_against_it_puts_the_one_before_back_first() -> None:
    _, done = run(Failed("it finds less"), state=Watching(PLATE))
    assert done == [SwapBack(PLATE), RollBack(PLATE, "it finds less"), Drop(PLATE)]


def test_without_memory_for_two_it_says_what_it_costs_waits_for_calm_and_takes_the_place() -> None:
    state, done = run(PLATE, Crowded("a pause of about 2 s"))
    assert (state, done) == (Waiting(PLATE), [Open(PLATE), Announce(PLATE, "a pause of about 2 s")])
    state, done = run(Calm(), state=state)
    assert (state, done) == (Replacing(PLATE), [Replace(PLATE)])
    state, done = run(Swapped(2000.0), state=state)
    assert (state, done) == (Watching(PLATE, alone=True), [BeginWatch(PLATE)])
    assert run(Proven(), state=state) == (Idle(), [Confirm(PLATE)])


def test_what_ran_before_is_opened_again_where_it_had_to_be_closed() -> None:
    for state in (Replacing(PLATE), Watching(PLATE, alone=True)):
        after, done = run(Failed("is damaged"), state=state)
        assert (after, done) == (Idle(), [PutBack(PLATE), RollBack(PLATE, "is damaged")])
    assert run(Withdrawn(), state=Watching(PLATE, alone=True)) == (Idle(), [PutBack(PLATE)])


def test_what_is_closed_already_is_not_left_without_another_by_a_decision_by_hand() -> None:
    assert run(Withdrawn(), state=Replacing(PLATE)) == (Replacing(PLATE), [])  # heard again once it serves


def test_a_decision_by_hand_is_not_written_again() -> None:
    alone = Watching(PLATE, alone=True)
    for state in (Loading(PLATE), Waiting(PLATE), Shadowing(PLATE), Swapping(PLATE), Watching(PLATE), alone):
        after, done = run(Withdrawn(), state=state)
        assert after == Idle()
        assert not any(isinstance(effect, Confirm | RollBack) for effect in done)


EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from([PLATE, SETTLED, Chosen("reader", "c" * 32)]),
    st.sampled_from([Opened(), Crowded("a pause"), Calm(), Proven(), Withdrawn(), Swapped(1.0), Failed("why")]),
    st.builds(Compared, st.just(3), st.integers(0, 3), st.booleans()),
)


@given(st.lists(EVENTS, max_size=60))
def test_in_any_order_what_serves_was_opened_and_every_trial_ends_once(  # noqa: C901 - a case for each effect
    events: list[Event],
) -> None:
    state: State = Idle()
    opened = serving = None
    beside = False
    for event in events:
        before = state
        state, effects = decide(state, event)
        for effect in effects:
            match effect:
                case Open(chosen):
                    assert opened is None, "one at a time"
                    opened, beside = chosen, True
                case Swap(chosen):
                    assert chosen == opened
                    serving = chosen
                case Replace(chosen):
                    assert chosen == opened
                    assert isinstance(before, Waiting), "announced first"
                    serving, beside = chosen, False
                case SwapBack(chosen):
                    assert chosen == serving
                    assert beside, "what ran before is still open"
                    serving = None
                case PutBack(chosen):
                    assert chosen == serving
                    assert not beside
                    serving = None
                case Confirm(chosen):
                    assert isinstance(before, Watching)
                    assert chosen == serving
                case RollBack(chosen):
                    assert chosen == opened
                    assert serving is None, "written down only after what ran before runs again"
                case Drop(chosen):
                    assert chosen == opened
                    assert beside, "closed once"
                    beside = False
                case BeginWatch(chosen):
                    assert chosen == serving
        if isinstance(state, Idle):
            assert not beside, "nothing stays open beside"
            opened = serving = None
