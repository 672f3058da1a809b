"""Statuses as they come to a console: late, twice, out of order; what it believes never moves backwards."""

from __future__ import annotations

from collections.abc import Sequence

import hypothesis.strategies as st
from hypothesis import given, settings

from platefleet.protocol.commands.lifecycle import TERMINAL
from platefleet.protocol.commands.seen import newer
from platefleet.protocol.messages import CommandStatus, Stamp

AT = Stamp(utc_ns=0, mono_ns=0, boot="b", clock="synced")
ENDS = sorted(TERMINAL - {"rejected"})
OURS, ANEW = "a" * 32, "b" * 32


def a_status(number: int, state: str, *, install: str = OURS) -> CommandStatus:
    return CommandStatus.model_validate(
        {
            "command": "01900000-0000-7000-8000-000000000000",
            "install": install,
            "operation": "build",
            "operator": "ada",
            "number": number,
            "state": state,
            "at": AT,
        }
    )


@st.composite
def histories(draw: st.DrawFn) -> list[CommandStatus]:
    """Draw what a device told of one command, in order, over or not yet."""
    middle = draw(st.lists(st.sampled_from(["waiting", "running"]), max_size=8))
    last = draw(st.lists(st.sampled_from(ENDS), max_size=1))
    return [a_status(number, state) for number, state in enumerate(["accepted", *middle, *last], 1)]


def believed(heard: Sequence[CommandStatus]) -> list[CommandStatus]:
    """Return what was believed after each status."""
    known: CommandStatus | None = None
    found = []
    for status in heard:
        known = newer(known, status) or known
        assert known is not None
        found.append(known)
    return found


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_in_any_order_and_any_number_of_times_the_end_is_the_same(data: st.DataObject) -> None:
    told = data.draw(histories())
    came = data.draw(st.permutations([*told, *data.draw(st.lists(st.sampled_from(told), max_size=4))]))
    beliefs = believed(came)
    assert beliefs[-1] == told[-1]
    assert [each.number for each in beliefs] == sorted(each.number for each in beliefs)


@given(histories(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_device_set_up_anew_ends_what_was_open_and_nothing_that_was_over(
    told: list[CommandStatus], data: st.DataObject
) -> None:
    anew = a_status(1, "rejected", install=ANEW)
    at = data.draw(st.integers(0, len(told)))
    beliefs = believed([*told[:at], anew, *told[at:]])
    over = next((each for each in told[:at] if each.state in TERMINAL), None)
    assert beliefs[-1] == (over or anew)


@given(histories())
@settings(max_examples=50, deadline=None)
def test_another_installs_progress_says_nothing(told: list[CommandStatus]) -> None:
    assert newer(told[-1], a_status(99, "running", install=ANEW)) is None


@given(histories())
@settings(max_examples=50, deadline=None)
def test_another_commands_status_says_nothing(told: list[CommandStatus]) -> None:
    other = a_status(99, "failed").model_copy(update={"command": "01900000-0000-7000-8000-000000000001"})
    assert newer(told[-1], other) is None
