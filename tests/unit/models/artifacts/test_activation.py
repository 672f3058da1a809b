"""Which artifact may run, what a trial is, and what a device comes up on."""

from __future__ import annotations

import pytest

from platefleet.models.artifacts.activation import Active, activated, at_start, confirmed, rolled_back
from platefleet.models.artifacts.passport import Judged, Machine, Passport, Recipe, Verdict
from platefleet.models.errors import ArtifactError

RECIPE = Recipe(role="plate", source="ab" * 32, format="onnx", precision="fp32", size=416)


def an_artifact(key: str = "b", judged: Judged = "accepted", **verdict: object) -> Passport:
    return Passport(
        key=key * 32,
        recipe=RECIPE,
        machine=Machine(cpu="x"),
        files={"cd" * 32 + ".onnx": "cd" * 32},
        made_utc_ns=0,
        verdict=Verdict(judged=judged, **verdict),  # type: ignore[arg-type]  # a test's own words
    )


FIRST = Active("a" * 32)


def test_the_first_artifact_of_a_role_has_nothing_to_be_tried_against() -> None:
    assert activated(None, an_artifact("a", "baseline")) == Active("a" * 32, None, confirmed=True)


def test_another_one_is_on_trial_until_it_is_confirmed() -> None:
    on_trial = activated(FIRST, an_artifact("b"))
    assert on_trial == Active("b" * 32, "a" * 32, confirmed=False, number=2)
    assert confirmed(on_trial, "b" * 32) == Active("b" * 32, "a" * 32, confirmed=True, number=3)


@pytest.mark.parametrize(
    ("judged", "said"),
    [("rejected", "was rejected"), ("unmeasured", "was not measured"), ("undecided", "12 frames more are needed")],
)
def test_what_was_not_accepted_does_not_run(judged: Judged, said: str) -> None:
    with pytest.raises(ArtifactError, match=said):
        activated(FIRST, an_artifact("b", judged, reason="it lost plates", frames_more=12))


def test_an_undecided_one_runs_when_it_is_named_so_and_a_rejected_one_never() -> None:
    assert activated(FIRST, an_artifact("b", "undecided"), undecided_named=True).key == "b" * 32
    with pytest.raises(ArtifactError):
        activated(FIRST, an_artifact("b", "rejected"), undecided_named=True)


def test_a_second_trial_returns_to_what_was_confirmed_and_not_to_the_first() -> None:
    second = activated(activated(FIRST, an_artifact("b")), an_artifact("c"))
    assert rolled_back(second).key == "a" * 32


def test_a_device_that_restarts_during_a_trial_comes_up_on_what_was_confirmed() -> None:
    assert at_start(activated(FIRST, an_artifact("b"))).key == "a" * 32
    done = confirmed(activated(FIRST, an_artifact("b")), "b" * 32)
    assert at_start(done) == done


def test_a_decision_about_something_that_does_not_run_any_more_changes_nothing() -> None:
    for decide in (confirmed, rolled_back):
        with pytest.raises(ArtifactError, match="active meanwhile"):
            decide(FIRST, "b" * 32)


def test_with_nothing_before_it_there_is_nothing_to_return_to() -> None:
    with pytest.raises(ArtifactError, match="nothing ran before it"):
        rolled_back(FIRST)


def test_activating_what_runs_is_refused() -> None:
    with pytest.raises(ArtifactError, match="is active already"):
        activated(FIRST, an_artifact("a"))
