"""What is accepted, rejected and undecided, and why: decided by what an operator would lose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.models.acceptance.interval import at_least, at_most, cases_for
from platefleet.models.acceptance.matching import best_confidences, false_boxes
from platefleet.models.acceptance.measured import Measured, Truths
from platefleet.models.acceptance.pair import Pair
from platefleet.models.acceptance.verdict import FP16, INT8, Comparison, compare, compare_texts, judge
from platefleet.models.detections import Detections
from platefleet.models.errors import ArtifactError


def measured(confidences: list[float], *, key: str = "a", ms: float = 10.0, evaluation: str = "e") -> Measured:
    """One plate a frame at (10, 10, 50, 30), found with these confidences; 0 is not found."""
    frames = np.array([n for n, c in enumerate(confidences) if c], np.int32)
    kept = np.array([c for c in confidences if c], np.float32)
    boxes = np.tile(np.float32([[10, 10, 50, 30]]), (len(kept), 1))
    found = Detections(boxes, kept, np.zeros(len(kept), np.int32))
    return Measured(key, evaluation, len(confidences), frames, found, np.full(len(confidences), ms))


def truths(frames: int) -> Truths:
    boxes = np.tile(np.float32([[10, 10, 50, 30]]), (frames, 1))
    return Truths(np.arange(frames, dtype=np.int32), boxes, np.zeros(frames, np.int32))


def seen(cases: int, lost: int, *, speedup: float = 2.0, false_now: int = 0) -> Comparison:
    return Comparison(0.25, cases, lost, 0, 0, false_now, speedup)


def test_no_loss_in_108_plates_proves_no_limit_of_one_percent() -> None:
    verdict = judge(seen(108, 0), FP16)
    assert (verdict.judged, verdict.frames_more) == ("undecided", 191)
    assert "at most 2.7 %" in verdict.reason.replace("%", " %").replace("  ", " ")


def test_no_loss_in_300_plates_does() -> None:
    assert judge(seen(300, 0), FP16).judged == "accepted"


@pytest.mark.parametrize(
    ("own", "judged"), [(0, "undecided"), (60, "undecided"), (100, "accepted"), (1000, "accepted")]
)
def test_own_frames_decide_by_agreement_what_a_few_labelled_ones_cannot(own: int, judged: str) -> None:
    before, now = measured([0.9] * (18 + own)), measured([0.8] * (18 + own), key="b", ms=5.0)
    pair = Pair(before, now, truths(18), 0.25, own_from=18)
    verdict = judge(pair.compared(INT8), INT8)
    assert verdict.judged == judged
    assert (verdict.numbers["cases"], verdict.numbers["own_cases"]) == (18 + own, own)
    assert (f"0 of {18 + own} plates lost (0 of {own} of these in own frames, by agreement)" in verdict.reason) == (
        own > 0
    )


def test_what_is_lost_in_own_frames_is_lost_and_the_accuracy_is_that_of_the_labelled_ones() -> None:
    before = measured([0.9] * 18 + [0.9] * 100 + [0.0] * 50)  # in the last ones the baseline finds nothing either
    now = measured([0.8] * 18 + [0.8] * 60 + [0.0] * 90, key="b", ms=5.0)
    pair = Pair(before, now, truths(18), 0.25, own_from=18)
    compared = pair.compared(INT8)
    assert (compared.cases, compared.lost, compared.own_cases, compared.own_lost) == (118, 40, 100, 40)
    assert judge(compared, INT8).reason.startswith(
        "40 of 118 plates lost (40 of 100 of these in own frames, by agreement), surely more than 3.0%"
    )
    assert pair.accuracy(now, 0.25)["recall"] == 1.0


def test_texts_of_own_frames_are_compared_with_the_baselines() -> None:
    before = replace(measured([]), texts=("AB1", "CD2", "EF3"))
    now = replace(measured([], key="b"), texts=("AB1", "CD2", "EF8"))
    before, now = (replace(each, count=3, ms=np.full(3, 9.0)) for each in (before, now))
    wanted = replace(truths(3), texts=("AB1", "XX9", ""))
    pair = Pair(before, now, wanted, 0.25, own_from=2)
    compared = pair.compared(FP16)
    assert (compared.cases, compared.lost, compared.own_cases, compared.own_lost) == (2, 1, 1, 1)
    assert pair.accuracy(now, 0.25) == {"read_right": 0.5, "texts_changed": 1.0}


def test_without_a_single_case_nothing_is_decided() -> None:
    assert judge(seen(0, 0), FP16).judged == "undecided"


def test_what_surely_loses_too_many_is_rejected_with_the_numbers() -> None:
    verdict = judge(seen(300, 30), FP16)
    assert (verdict.judged, verdict.reason) == ("rejected", "30 of 300 plates lost, surely more than 1.0%")


def test_int8_may_lose_more_but_has_to_beat_fp16() -> None:
    assert judge(seen(300, 3), FP16).judged == "undecided"
    assert judge(seen(300, 3), INT8).judged == "accepted"
    verdict = judge(seen(300, 3), INT8, rival=2.5)
    assert (verdict.judged, verdict.reason) == ("rejected", "2.00 times as fast as the baseline; FP16 reaches 2.50")


def test_what_is_hardly_faster_is_rejected_whatever_it_finds() -> None:
    assert "not 1.1" in judge(seen(1000, 0, speedup=1.05), FP16).reason


def test_what_may_be_faster_or_not_is_undecided_until_more_frames_tell() -> None:
    times = np.array([10.0, 12.0] * 9)
    before, now = measured([0.9] * 18), measured([0.9] * 18, key="b")
    compared = compare(replace(before, ms=times), replace(now, ms=np.full(18, 10.0)), truths(18), 0.25)
    assert compared.speedup_between == (1.0, 1.2)
    verdict = judge(replace(compared, cases=400, lost=0), FP16)
    assert (verdict.judged, verdict.frames_more) == ("undecided", 18)
    assert verdict.reason == "1.00 to 1.20 times as fast as the baseline, and 1.1 is asked"


def test_readers_are_compared_by_the_texts_that_stand_there_or_by_what_the_baseline_reads() -> None:
    before = replace(measured([0.9] * 4), texts=("AB1", "AB2", "X", "AB4"))
    now = replace(measured([0.9] * 4, key="b"), texts=("AB1", "AB9", "AB3", "AB5"))
    compared = compare_texts(before, now, ("AB1", "AB2", "AB3", ""))
    assert (compared.cases, compared.lost, compared.gained, compared.worst) == (3, 2, 1, (1, 3))
    assert compared.threshold is None
    with pytest.raises(ArtifactError, match="other plates"):
        compare_texts(before, now, ("AB1",))


def test_a_candidate_that_sees_plates_everywhere_is_rejected() -> None:
    assert judge(seen(300, 0, false_now=40), FP16).judged == "rejected"


def test_squeezed_confidences_are_met_by_a_lower_threshold_within_its_limit() -> None:
    before, now = measured([0.26] * 400), measured([0.245] * 400, key="b", ms=4.0)
    compared = compare(before, now, truths(400), 0.25)
    assert (compared.threshold, compared.lost) == (0.245, 0)
    assert judge(compared, FP16).judged == "accepted"
    far = compare(before, measured([0.2] * 400, key="b", ms=4.0), truths(400), 0.25)
    assert far.lost == 400


def test_an_equal_model_keeps_its_threshold() -> None:
    compared = compare(measured([0.8, 0.3, 0.26]), measured([0.8, 0.3, 0.26], key="b"), truths(3), 0.25)
    assert (compared.threshold, compared.lost, compared.gained) == (0.25, 0, 0)


def test_without_labels_agreement_with_the_baseline_is_judged() -> None:
    compared = compare(measured([0.9, 0.9, 0.1]), measured([0.9, 0.0, 0.9], key="b"), None, 0.25)
    assert (compared.cases, compared.lost, compared.false_now, compared.worst) == (2, 1, 1, (1,))


def test_measurements_of_different_frames_are_not_compared() -> None:
    with pytest.raises(ArtifactError, match="other frames"):
        compare(measured([0.9]), measured([0.9], evaluation="f"), None, 0.25)


def test_the_surest_loss_is_shown_first() -> None:
    compared = compare(measured([0.5, 0.9, 0.7]), measured([0.0, 0.0, 0.0], key="b"), truths(3), 0.25)
    assert compared.worst == (1, 2, 0)


def test_a_box_finds_one_truth_and_a_truth_is_found_once() -> None:
    boxes = np.float32([[10, 10, 50, 30], [10, 11, 50, 31], [80, 10, 120, 30]])
    found = Detections(boxes, np.float32([0.9, 0.8, 0.7]), np.int32([0, 0, 1]))
    what = Measured("a", "e", 1, np.zeros(3, np.int32), found, np.ones(1))
    there = Truths(np.zeros(2, np.int32), np.float32([[10, 10, 50, 30], [80, 10, 120, 30]]), np.int32([0, 0]))
    assert best_confidences(what, there).tolist() == [np.float32(0.9), 0.0]
    assert false_boxes(what, there, 0.25) == 2


def test_a_measurement_is_what_was_saved() -> None:
    before = measured([0.9, 0.0, 0.3])
    again = Measured.load(before.save(), "here")
    assert again.save() == before.save()
    with pytest.raises(ArtifactError, match="here: no measurement"):
        Measured.load(b"nothing", "here")


@given(st.integers(0, 400), st.integers(0, 400))
def test_bounds_enclose_what_was_seen_and_more_cases_narrow_them(events: int, more: int) -> None:
    cases = events + more
    if cases:
        assert at_least(events, cases) <= events / cases <= at_most(events, cases)
    assert at_most(events, cases + 10) <= at_most(events, cases) + 1e-12


@given(st.floats(0.002, 0.5), st.integers(0, 20))
def test_the_cases_that_are_asked_for_are_enough_and_one_less_is_not(limit: float, events: int) -> None:
    cases = cases_for(limit, events)
    assert at_most(events, cases) <= limit
    assert cases - 1 <= events or at_most(events, cases - 1) > limit
