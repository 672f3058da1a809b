"""Cars are passes: fifty seeded clips with the real models' detections, each car with its one pass."""

from __future__ import annotations

import pytest

from platefleet.models.weights import Materials
from tests.scenarios.clips import random_clip
from tests.scenarios.fifty import CLIPS, Outcome, figures, run
from tests.scenarios.sightings import photo_sightings

TRACKS_MOST = 24


@pytest.fixture(scope="module")
def outcomes(materials: Materials) -> list[Outcome]:
    photos = photo_sightings(materials)
    return [run(random_clip(seed), photos) for seed in range(CLIPS)]


@pytest.mark.materials
def test_every_car_has_one_pass_and_every_pass_a_car(outcomes: list[Outcome]) -> None:
    sums = figures(outcomes)
    assert sums.cars > 200
    assert sums.wrong == ()


@pytest.mark.materials
def test_few_passes_are_misread_and_few_unread(outcomes: list[Outcome]) -> None:
    sums = figures(outcomes)
    assert sums.misread <= 0.03 * sums.passes
    assert sums.unread <= 0.10 * sums.passes


@pytest.mark.materials
def test_a_pass_is_told_within_three_frames_of_the_first_readable_one(outcomes: list[Outcome]) -> None:
    assert figures(outcomes).waited_p95 <= 3


@pytest.mark.materials
def test_the_direction_told_is_the_cars(outcomes: list[Outcome]) -> None:
    assert [sentence for outcome in outcomes for sentence in outcome.astray] == []


@pytest.mark.materials
def test_what_is_remembered_stays_bounded(outcomes: list[Outcome]) -> None:
    assert max(outcome.tracks for outcome in outcomes) <= TRACKS_MOST
