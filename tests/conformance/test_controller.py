"""The kit against gate controllers: ours and one in JavaScript pass, broken ones fail exactly where they are broken."""

from __future__ import annotations

import pytest

from platefleet.fleet.conformance.controller.points import names
from tests.conformance.controllers import BROKEN, SCRIPT
from tests.conformance.trying import Tried, failed, not_run

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def test_our_gate_passes_every_point_as_a_program_that_is_killed_and_whose_broker_is(tried: Tried) -> None:
    outcomes = tried.controllers["ours"].result()
    assert failed(outcomes) == {}
    assert [(outcome.point, outcome.status) for outcome in outcomes] == [(name, "passed") for name in names()]


def test_a_controller_of_other_code_passes_and_what_was_not_tried_is_said(tried: Tried) -> None:
    outcomes = tried.controllers["right"].result()
    assert failed(outcomes) == {}
    assert not_run(outcomes) == {"broker-restart"}


def test_a_controller_of_thirty_lines_of_javascript_written_from_the_documents_passes(tried: Tried) -> None:
    outcomes = tried.controllers["JavaScript"].result()
    assert failed(outcomes) == {}
    assert not_run(outcomes) == {"broker-restart", "controller-restart", "retained"}
    lines = SCRIPT.read_text().splitlines()
    assert len([line for line in lines if line.strip() and not line.startswith("//")]) <= 36


@pytest.mark.parametrize("name", BROKEN)
def test_a_controller_that(name: str, tried: Tried) -> None:
    told = failed(tried.controllers[name].result())
    assert set(told) == BROKEN[name][1], told
