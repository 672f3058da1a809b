"""The gate's decision as a table: what is announced, under what circumstances, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from platefleet.fleet.gate import decide as deciding
from platefleet.fleet.gate.allow_list import AllowList
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
from tests.gate_builders import ON_THE_LIST, RULE, a_list, a_moment, a_pass_id, an_event, announced

HAND = a_pass_id(999)


@dataclass
class Lane:
    """One lane over time; `effects` are of the last event, `pulses` of all of them."""

    listing: AllowList = field(default_factory=a_list)
    rule: Rule = RULE
    state: LaneState = field(default_factory=LaneState)
    effects: tuple[Effect, ...] = ()
    pulses: list[Pulse] = field(default_factory=list)

    def at(self, seconds: float, event: Event, **circumstances: Any) -> Lane:
        moment = a_moment(seconds, **circumstances)
        self.state, self.effects = decide(self.state, event, self.rule, self.listing, moment)
        self.pulses += [effect for effect in self.effects if isinstance(effect, Pulse)]
        return self

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(e.decision.phase, e.decision.verdict) for e in self.effects if isinstance(e, Tell)]

    @property
    def counted(self) -> list[str]:
        return [e.what for e in self.effects if isinstance(e, Count)]


def opened(number: int = 0) -> Moved:
    return Moved(a_pass_id(number), "opened", "")


def failed(number: int = 0) -> Moved:
    return Moved(a_pass_id(number), "failed", "output barrier: no answer")


def test_who_is_on_the_list_is_let_in_and_the_intent_is_durable_before_anything_moves() -> None:
    lane = Lane().at(0, announced())
    assert [type(effect) for effect in lane.effects] == [Journal, Pulse, Tell]
    intent = lane.effects[0]
    assert isinstance(intent, Journal)
    assert isinstance(intent.entry, Intent)
    assert intent.entry.decision.phase == "intent"
    assert (intent.entry.decision.entry, intent.entry.decision.age_ms) == (ON_THE_LIST, 100)


def test_the_result_is_journaled_and_told() -> None:
    lane = Lane().at(0, announced()).at(0.3, opened())
    assert lane.told == [("result", "opened")]
    journaled = lane.effects[0]
    assert isinstance(journaled, Journal)
    assert isinstance(journaled.entry, Result)
    assert journaled.entry.decision.took_ms == 300


REFUSALS = [
    # what is announced, the circumstances, the verdict
    (announced("XYZ789"), {}, "not on the list"),
    (announced(direction="receding"), {}, "wrong direction"),
    (announced("", unread="illegible", characters=()), {}, "unread"),
    (announced(""), {}, "unread"),
    (announced(age_ms=None), {}, "age unknown"),
    (announced(age_ms=5000), {}, "late"),
    (announced(age_ms=2**52), {}, "late"),
    (announced(), {"held": "another machine"}, "another machine"),
]


@pytest.mark.parametrize(("event", "circumstances", "verdict"), REFUSALS)
def test_is_refused_with_its_reason(event: Announced, circumstances: dict[str, Any], verdict: str) -> None:
    lane = Lane().at(0, event, **circumstances)
    assert lane.told == [("refusal", verdict)]
    assert lane.pulses == []
    told = next(effect.decision for effect in lane.effects if isinstance(effect, Tell))
    assert told.reason


@pytest.mark.parametrize(("event", "circumstances", "verdict"), REFUSALS)
def test_a_refusal_is_told_once_for_a_revision_however_often_it_is_announced(
    event: Announced, circumstances: dict[str, Any], verdict: str
) -> None:
    lane = Lane().at(0, event, **circumstances)
    for second in range(2, 20, 2):
        assert lane.at(second, event, **circumstances).told == []


@pytest.mark.parametrize(("direction", "opens"), [("approaching", 1), ("unknown", 1), ("receding", 0)])
def test_approaching_and_unknown_open_and_receding_never(direction: str, opens: int) -> None:
    assert len(Lane().at(0, announced(direction=direction)).pulses) == opens


@pytest.mark.parametrize("direction", ["receding", "unknown"])
def test_a_lane_may_open_for_the_approaching_alone(direction: str) -> None:
    rule = Rule("gate-1", "north-1", "entry", "barrier", frozenset(("approaching",)))
    assert Lane(rule=rule).at(0, announced(direction=direction)).told == [("refusal", "wrong direction")]


def test_a_final_revision_opens_nothing_and_nothing_opens_after_it() -> None:
    lane = Lane().at(0, announced(revision=2, final=True))
    assert (lane.pulses, lane.counted) == ([], ["final"])
    assert lane.at(1, announced(revision=1)).counted == ["superseded"]
    assert lane.at(2, announced(revision=2)).counted == ["superseded"]
    assert lane.at(3, announced(revision=3)).counted == ["superseded"]
    assert lane.pulses == []


def test_an_interrupted_pass_opens_nothing() -> None:
    assert Lane().at(0, announced(interrupted=True)).pulses == []


def test_a_pass_is_opened_once_whatever_is_announced_afterwards() -> None:
    lane = Lane(a_list(ON_THE_LIST, "XYZ789")).at(0, announced())
    for seconds, again in enumerate([announced(), announced(revision=2), announced("XYZ789", revision=3)], start=1):
        assert lane.at(seconds, again).counted == ["again"]
    lane.at(3.5, opened())
    assert lane.at(60, announced()).counted == ["again"]
    assert lane.at(3600, announced("XYZ789", revision=4)).counted == ["again"]
    assert len(lane.pulses) == 1


def test_a_later_revision_that_reads_better_is_let_in() -> None:
    lane = Lane().at(0, announced("B128ABC")).at(1, announced(revision=2))
    assert len(lane.pulses) == 1


def test_an_older_revision_that_comes_late_is_not_judged_any_more() -> None:
    lane = Lane().at(0, announced("B128ABC", revision=2)).at(1, announced(revision=1))
    assert (lane.pulses, lane.counted) == ([], ["superseded"])


def test_not_on_the_list_stands_until_the_next_revision_or_a_new_list() -> None:
    lane = Lane(a_list("ELSE1")).at(0, announced())
    assert lane.at(2, announced()).counted == ["standing"]
    lane.listing = a_list("ELSE1", ON_THE_LIST)
    assert len(lane.at(4, announced()).pulses) == 1


def test_unread_stands_until_the_next_revision() -> None:
    unread = announced("", unread="cut by the frame", characters=())
    lane = Lane().at(0, unread)
    lane.listing = a_list("ELSE1", ON_THE_LIST)
    assert lane.at(2, unread).counted == ["standing"]
    assert len(lane.at(4, announced(revision=2)).pulses) == 1


@pytest.mark.parametrize(
    ("first", "circumstances"),
    [
        (announced(age_ms=7000), {}),
        (announced(age_ms=None), {}),
        (announced(), {"day": None}),
        (announced(), {"held": "another machine acts under the name of this gate"}),
    ],
    ids=["late", "age unknown", "clock", "another machine"],
)
def test_what_is_no_verdict_is_judged_afresh_with_the_next_announcement(
    first: Announced, circumstances: dict[str, Any]
) -> None:
    lane = Lane(a_list(f"{ON_THE_LIST},2026-01-01")).at(0, first, **circumstances)
    assert lane.pulses == []
    assert len(lane.at(2, announced()).pulses) == 1


def test_an_entry_with_dates_needs_a_good_clock_and_one_without_does_not() -> None:
    dated, undated = f"{ON_THE_LIST},2026-01-01,2026-12-31", "XYZ789"
    lane = Lane(a_list(dated, undated))
    assert lane.at(0, announced(), day=None).told == [("refusal", "clock")]
    assert len(lane.at(1, announced("XYZ789", number=1), day=None).pulses) == 1


def test_an_entry_outside_its_days_is_refused_and_says_which_days() -> None:
    lane = Lane(a_list(f"{ON_THE_LIST},,,sat sun")).at(0, announced())
    assert lane.told == [("refusal", "not valid now")]
    assert "sat sun" in next(effect.decision.reason for effect in lane.effects if isinstance(effect, Tell))


def test_the_same_plate_within_15_s_of_an_opening_is_already_open_and_afterwards_a_new_car() -> None:
    lane = Lane().at(0, announced()).at(0.5, opened())
    assert lane.at(14.9, announced(number=1)).told == [("refusal", "already open")]
    assert len(lane.at(15, announced(number=1)).pulses) == 2


def test_another_plate_right_behind_is_let_in_at_once() -> None:
    lane = Lane(a_list(ON_THE_LIST, "XYZ789")).at(0, announced()).at(1, announced("XYZ789", number=1))
    assert len(lane.pulses) == 2


def test_an_output_that_failed_is_not_moved_again_but_told_and_shown_until_the_lane_opens() -> None:
    lane = Lane().at(0, announced()).at(1, failed())
    assert lane.told == [("result", "output failed")]
    assert "no answer" in lane.state.trouble
    assert lane.at(2, announced()).counted == ["again"]
    assert lane.at(3, announced(number=1)).told == [("refusal", "output failed")]
    assert len(lane.at(20, announced(number=2)).pulses) == 2
    assert lane.at(20.5, opened(2)).state.trouble == ""


def test_an_output_that_says_nothing_has_failed() -> None:
    lane = Lane().at(0, announced()).at(9.9, Tick())
    assert lane.effects == ()
    assert lane.at(10, Tick()).told == [("result", "output failed")]
    assert lane.at(11, opened()).counted == ["results late"]
    assert lane.state.trouble


def test_a_pulse_carries_the_moment_at_which_the_vehicle_was_last_seen_too_long_ago() -> None:
    lane = Lane().at(0, announced(age_ms=1200))
    assert lane.pulses[0].until_mono_ns == a_moment(3.8).mono_ns


def test_a_pulse_whose_turn_came_too_late_moved_nothing_and_the_pass_is_judged_afresh() -> None:
    lane = Lane().at(0, announced()).at(6, Moved(a_pass_id(), "withdrawn", "last seen too long ago"))
    assert lane.told == [("result", "late")]
    assert len(lane.at(7, announced()).pulses) == 2


def test_an_intent_that_cannot_be_made_durable_moves_nothing_and_is_tried_again_later() -> None:
    lane = Lane().at(0, announced()).at(0, Unwritten(a_pass_id(), "the disk is full"))
    assert lane.told == [("refusal", "output failed")]
    lane.at(2, announced()).at(2, Unwritten(a_pass_id(), "the disk is full"))
    assert lane.told == []
    assert len(lane.at(4, announced()).pulses) == 3


def test_a_person_opens_whatever_else_is_known() -> None:
    lane = Lane().at(0, ByHand(HAND, "by hand by root: fire"), day=None, held="another machine")
    assert [type(effect) for effect in lane.effects] == [Journal, Pulse, Tell]
    assert lane.pulses[0].until_mono_ns is None
    assert lane.at(1, Moved(HAND, "opened", "")).told == [("result", "by hand")]


def test_an_opening_by_hand_ends_a_lanes_trouble() -> None:
    lane = Lane().at(0, announced()).at(1, failed()).at(2, ByHand(HAND, "by hand")).at(3, Moved(HAND, "opened", ""))
    assert lane.state.trouble == ""


def test_text_and_characters_that_contradict_each_other_match_exactly_or_not_at_all() -> None:
    event = an_event("B128ABC", characters=an_event(ON_THE_LIST).characters)
    assert Lane().at(0, Announced(event, 0)).pulses == []


def test_what_is_remembered_stays_bounded() -> None:
    lane = Lane(a_list("ELSE1", ON_THE_LIST))
    for number in range(2 * deciding.PASSES + 50):
        lane.at(number / 100, announced(ON_THE_LIST if number % 50 == 0 else "XYZ789", number=number))
    assert len(lane.state.passes) <= deciding.PASSES + 1
    assert len(lane.state.acted) <= deciding.PASSES + 1
    lane.at(100_000, announced(number=100_000))
    assert len(lane.state.passes) <= 1


def test_a_pass_that_stands_for_days_is_remembered_for_days() -> None:
    lane = Lane().at(0, announced())
    for hour in range(1, 72):
        assert lane.at(hour * 3600, announced()).counted == ["again"]
    assert len(lane.pulses) == 1
