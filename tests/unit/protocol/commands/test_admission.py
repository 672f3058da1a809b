"""Whether a command that came is taken: by device, age, install, times and the choices it builds on."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from platefleet.protocol.commands.admission import (
    AHEAD_NS,
    Admitted,
    Ignored,
    Known,
    Rejected,
    Unjudged,
    Verdict,
    judge,
)
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import Cancel, Command
from platefleet.protocol.messages.command import LIFETIME_NS

NOW, SECOND, HOUR = 1_795_000_000 * 10**9, 10**9, 3600 * 10**9
ID, OURS = uuid7(1, bytes(10)), "a" * 32
HERE = Known("north-1", OURS, NOW, choices=4)


def a_command(**more: Any) -> Command:
    said: dict[str, Any] = {"id": ID, "device": "north-1", "install": OURS, "operation": "build"}
    return Command(**{**said, "issued_at": NOW, "not_after": NOW + HOUR, **more})


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (a_command(install="b" * 32), "set up anew"),
        (a_command(not_after=NOW), "ends before it begins"),
        (a_command(not_after=NOW - 1), "ends before it begins"),
        (a_command(not_after=NOW + LIFETIME_NS + 1), "longer than 14 days"),
        (a_command(not_before=NOW + HOUR), "may not begin before it is over"),
        (a_command(issued_at=NOW + AHEAD_NS + 1), "issued 300 s after now"),
        (a_command(issued_at=NOW - 2 * HOUR, not_after=NOW - HOUR), "came after its time was over"),
        (a_command(builds_on=3), "builds on version 3 of this device's choices, which are at version 4"),
        (a_command(builds_on=5), "builds on version 5"),
    ],
)
def test_what_is_rejected_says_why(command: Command, says: str) -> None:
    verdict = judge(command, HERE)
    assert isinstance(verdict, Rejected)
    assert says in verdict.reason
    assert verdict.expired == ("came after" in says)


@pytest.mark.parametrize(
    "command",
    [
        a_command(),
        a_command(not_after=NOW + LIFETIME_NS),
        a_command(not_before=NOW + HOUR - 1),
        a_command(issued_at=NOW + AHEAD_NS, not_after=NOW + HOUR),
        a_command(issued_at=NOW - HOUR, not_after=NOW),
        a_command(builds_on=4),
    ],
)
def test_at_each_limit_it_is_taken(command: Command) -> None:
    assert judge(command, HERE) == Admitted()


def test_what_is_older_than_ids_are_remembered_is_not_even_answered() -> None:
    assert judge(a_command(issued_at=NOW - LIFETIME_NS, not_after=NOW), HERE) == Admitted()
    assert isinstance(judge(a_command(issued_at=NOW - LIFETIME_NS - 1, not_after=NOW - 1), HERE), Ignored)


def test_without_a_clock_it_is_kept_for_as_long_as_it_was_to_live() -> None:
    blind = Known("north-1", OURS, None, choices=4)
    assert judge(a_command(issued_at=5, not_after=5 + HOUR), blind) == Unjudged(HOUR)
    assert isinstance(judge(a_command(device="north-2"), blind), Ignored)
    assert isinstance(judge(a_command(install="b" * 32), blind), Rejected)


moments = st.one_of(
    st.integers(0, 2**63 - 1),
    st.integers(-3 * LIFETIME_NS, 3 * LIFETIME_NS).map(lambda away: NOW + away),
    st.sampled_from([0, NOW, NOW + AHEAD_NS, NOW - LIFETIME_NS]),
)
devices, installs = st.sampled_from(["north-1", "north-1", "north-2"]), st.sampled_from([OURS, OURS, "b" * 32])


@st.composite
def messages(draw: st.DrawFn) -> Command | Cancel:
    said = {"id": ID, "device": draw(devices), "install": draw(installs)}
    said |= {"issued_at": draw(moments), "not_after": draw(moments)}
    if draw(st.booleans()):
        return Cancel(command=ID, **said)
    builds_on = draw(st.none() | st.integers(0, 6))
    return Command(operation="build", not_before=draw(st.none() | moments), builds_on=builds_on, **said)


@given(messages(), st.builds(Known, st.just("north-1"), st.just(OURS), st.none() | st.just(NOW), st.integers(0, 6)))
@settings(max_examples=200, deadline=None)
def test_nothing_is_taken_but_what_is_for_this_device_in_its_time(message: Command | Cancel, known: Known) -> None:
    verdict: Verdict = judge(message, known)
    lives_ns = message.not_after - message.issued_at
    ours = message.device == known.device and message.install == known.install and 0 < lives_ns <= LIFETIME_NS
    if isinstance(message, Command) and message.not_before is not None:
        ours = ours and message.not_before < message.not_after
    if isinstance(verdict, Unjudged):
        assert ours
        assert known.now_utc_ns is None
        assert verdict.lives_ns == lives_ns
    if isinstance(verdict, Admitted):
        assert ours
        assert known.now_utc_ns is not None
        assert message.issued_at - AHEAD_NS <= known.now_utc_ns <= message.not_after
        if isinstance(message, Command):
            assert message.builds_on in {None, known.choices}
    if isinstance(verdict, Ignored):
        assert message.device != known.device or (known.now_utc_ns or 0) - message.issued_at > LIFETIME_NS
