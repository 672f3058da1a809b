"""Who is here under our name."""

from __future__ import annotations

import pytest

from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.codec import decode
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import Host, Presence
from platefleet.protocol.session.presence import (
    Effect,
    Foreign,
    Identity,
    Restore,
    connecting,
    decide,
    forgiven,
    host_of,
    presence_of,
)
from tests.record_builders import an_epoch

T0 = 50 * SECOND_NS
STRANGER, OTHER = an_epoch(1), an_epoch(2)


def hears(
    state: Identity, incarnation: str, *, here: bool = True, retained: bool = False, at_s: float = 0
) -> tuple[Identity, tuple[Effect, ...]]:
    now_ns = T0 + round(at_s * SECOND_NS)
    return decide(state, incarnation, here=here, told_here=True, retained=retained, now_mono_ns=now_ns)


def connected(times: int = 1) -> Identity:
    state = Identity()
    for _ in range(times):
        state = connecting(state)
    return state


def test_each_connection_has_an_incarnation_of_its_own() -> None:
    first = connecting(Identity())
    second = connecting(first)
    assert first.incarnation != second.incarnation
    assert second.mine == (first.incarnation, second.incarnation)


def test_our_own_birth_changes_nothing() -> None:
    state = connected()
    assert hears(state, state.incarnation) == (state, ())


def test_a_stale_will_that_overwrote_our_birth_is_answered_by_publishing_again() -> None:
    state = connected(2)
    assert hears(state, state.mine[0], here=False)[1] == (Restore(),)


def test_a_will_with_our_own_incarnation_is_answered_too() -> None:
    """Iotcore publishes the new client's will when it takes over a session."""
    state = connected()
    assert hears(state, state.incarnation, here=False)[1] == (Restore(),)


def test_what_lay_there_before_our_birth_needs_no_answer() -> None:
    state = connected(2)
    assert hears(state, state.mine[0], here=False, retained=True)[1] == ()


def test_presence_is_published_again_at_most_once_a_second() -> None:
    state = connected(2)
    state, _ = hears(state, state.mine[0], here=False)
    state, effects = hears(state, state.mine[0], here=False, at_s=0.9)
    assert effects == ()
    assert hears(state, state.mine[0], here=False, at_s=1.1)[1] == (Restore(),)


def test_somebody_elses_incarnation_twice_means_that_another_machine_has_this_identity() -> None:
    state = connected(2)
    state, effects = hears(state, STRANGER, retained=True)
    assert effects == ()
    assert hears(state, OTHER, retained=True)[1] == (Foreign(OTHER),)


def test_the_same_foreign_incarnation_is_counted_once() -> None:
    state = connected(2)
    for n in range(5):
        state, effects = hears(state, STRANGER, at_s=n)
        assert Foreign(STRANGER) not in effects


def test_what_our_predecessor_left_behind_proves_nothing_nor_does_its_late_will() -> None:
    state, effects = hears(connected(), STRANGER, retained=True)
    assert effects == ()
    state, effects = hears(state, STRANGER, here=False)
    assert effects == (Restore(),)
    assert state.foreign == ()


def test_counting_begins_afresh_after_the_pause() -> None:
    state, _ = hears(connected(2), STRANGER)
    assert hears(forgiven(state), OTHER)[1] == ()


def test_birth_stop_and_will_say_what_they_mean() -> None:
    said = presence_of("north-1")
    assert said.topic == "alpr/1/north-1/up/presence"
    for body, state in ((said.here, "online"), (said.stopped, "stopped"), (said.lost, "lost")):
        assert decode(Presence, body(STRANGER)) == Presence(incarnation=STRANGER, state=state)
        assert said.read(body(STRANGER)) == (STRANGER, state == "online")


def test_an_ingest_worker_says_whether_it_commits() -> None:
    said = host_of("1", "store-1")
    assert said.topic == "alpr/1/host/1"
    assert decode(Host, said.here(STRANGER)).committing
    assert not decode(Host, said.lost(STRANGER)).committing
    assert said.read(said.here(STRANGER)) == (STRANGER, True)


def test_what_is_no_presence_is_refused() -> None:
    with pytest.raises(ProtocolError):
        presence_of("north-1").read(b"online")
