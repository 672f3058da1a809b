"""None of many bad envelopes is acted on, whoever made them and however; the genuine ones are."""

from __future__ import annotations

from itertools import islice

from tests.forged import JUDGES, KINDS, envelopes, judged, not_taken

COUNT, SEED = 500, 20261125


def test_no_forged_replayed_or_mutated_envelope_is_acted_on_and_none_crashes_anything() -> None:
    tallies = judged(COUNT, SEED)
    assert {kind for kind, _ in tallies} == set(KINDS)
    assert sum(len(tally.us) for tally in tallies.values()) == COUNT * len(JUDGES)
    for (kind, judge), tally in tallies.items():
        assert not tally.crashed, (kind, judge, tally.crashed)
        assert not tally.accepted, (kind, judge)


def test_the_same_judges_take_what_is_genuine() -> None:
    assert not_taken() == []


def test_a_judge_that_takes_everything_would_be_seen() -> None:
    tallies = judged(24, SEED, {"anything goes": lambda _: None})
    assert sum(tally.accepted for tally in tallies.values()) == 24


def test_the_same_seed_makes_the_same_envelopes() -> None:
    assert list(islice(envelopes(SEED), 60)) == list(islice(envelopes(SEED), 60))
