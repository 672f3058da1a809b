"""A decision as a line for people: one opening reads as one."""

from __future__ import annotations

import pytest

from platefleet.fleet.gate.escape import line
from tests.record_builders import a_decision


@pytest.mark.parametrize(
    ("phase", "verdict", "said"),
    [
        ("intent", "opened", "north-1/in is to be opened: B123ABC (on the list)"),
        ("result", "opened", "north-1/in opened: B123ABC (on the list)"),
        ("result", "output failed", "north-1/in output failed: B123ABC (on the list)"),
        ("refusal", "not on the list", "north-1/in not on the list: B123ABC (on the list)"),
        ("intent", "by hand", "north-1/in is to be opened by hand: B123ABC (on the list)"),
        ("result", "by hand", "north-1/in opened by hand: B123ABC (on the list)"),
        ("intent", "held open", "north-1/in is to be held open: B123ABC (on the list)"),
        ("refusal", "held open", "north-1/in held open: B123ABC (on the list)"),
        ("intent", "released", "north-1/in is to be released: B123ABC (on the list)"),
        ("result", "released", "north-1/in released: B123ABC (on the list)"),
    ],
)
def test_what_is_meant_and_what_came_of_it_do_not_read_alike(phase: str, verdict: str, said: str) -> None:
    assert line(a_decision(verdict, phase)) == said


def test_where_no_plate_was_read_none_is_shown_and_what_a_camera_read_steers_no_terminal() -> None:
    assert line(a_decision("unread", "refusal").model_copy(update={"text": ""})) == "north-1/in unread: (on the list)"
    assert "\\x1b[2J" in line(a_decision().model_copy(update={"text": "\x1b[2J"}))
