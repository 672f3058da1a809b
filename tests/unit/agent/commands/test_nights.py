"""Nights of a device by a turned clock, judged from outside; `python -m tests.nights 30` lives through more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.night_judge import faults
from tests.night_life import Lived, live, moment

# A try that the power goes under ends without a word, which is what is wanted here.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return live(tmp_path_factory.mktemp("nights"), 3, 2)


def test_three_nights_with_a_clock_change_power_cuts_and_an_upgrade_break_no_rule(lived: Lived, tmp_path: Path) -> None:
    assert list(faults(lived)) == []
    assert lived.cuts
    assert {note.operation for note in lived.device.stage.log} >= {
        "build",
        "activate",
        "benchmark",
        "evaluate",
        "prune",
    }


def test_the_judge_sees_what_begins_at_noon_or_beside_a_car(lived: Lived) -> None:
    log = lived.device.stage.log
    begin = next(note for note in log if note.what == "begin" and note.operation == "benchmark")
    noon = replace(begin, true_ns=moment(lived.first, 12))
    beside = replace(lived, cars=sorted([*lived.cars, begin.true_ns - 10**9]))
    assert any("within" in each or "s after a car" in each for each in faults(beside))
    log.append(noon)
    try:
        assert any("began outside the window" in each for each in faults(lived))
    finally:
        log.remove(noon)


def test_the_judge_sees_a_status_that_is_missing(lived: Lived) -> None:
    told = lived.device.told
    lost = next(status for status in told if status.number == 2)
    told.remove(lost)
    try:
        assert any("have holes" in each for each in faults(lived))
    finally:
        told.append(lost)
