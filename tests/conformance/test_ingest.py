"""The kit against ingests: ours passes, broken ones fail exactly where they are broken."""

from __future__ import annotations

import pytest

from platefleet.fleet.conformance.ingest.points import names
from tests.conformance.ingests import BROKEN
from tests.conformance.trying import Tried, failed, not_run

pytestmark = [pytest.mark.broker, pytest.mark.slow]

ALSO = {"acknowledges what was never sent": {"killed"}}
"""Where such an ingest may be caught besides: killed between its ack of the next record and that record's coming."""


def test_our_ingest_passes_every_point_as_a_program_that_is_killed_and_whose_broker_is(tried: Tried) -> None:
    outcomes = tried.ingests["ours"].result()
    assert failed(outcomes) == {}
    assert [(outcome.point, outcome.status) for outcome in outcomes] == [(name, "passed") for name in names()]


def test_an_ingest_of_other_code_passes_and_what_was_not_tried_is_said(tried: Tried) -> None:
    outcomes = tried.ingests["right"].result()
    assert failed(outcomes) == {}
    assert not_run(outcomes) == {"broker-restart"}


@pytest.mark.parametrize("name", BROKEN)
def test_an_ingest_that(name: str, tried: Tried) -> None:
    told = failed(tried.ingests[name].result())
    broken = BROKEN[name][1]
    assert broken <= set(told) <= broken | ALSO.get(name, set()), told
