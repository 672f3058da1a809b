"""The hand-off from the network thread to the consumer."""

from __future__ import annotations

import threading

from platefleet.protocol.session import Connected, Disconnected, Published, Received
from platefleet.protocol.session.handoff import OTHERS_MOST, PUBLISHED_MOST, HandOff


def received(number: int) -> Received:
    return Received("t", bytes([number]), False, 0)


def rest(handoff: HandOff) -> list[object]:
    events = []
    while (event := handoff.get(0)) is not None:
        events.append(event)
    return events


def test_events_come_in_order() -> None:
    handoff = HandOff(10)
    events = [Connected("a"), received(1), Published(1, 0, True), Disconnected("gone")]
    for event in events:
        handoff.put(event)
    assert rest(handoff) == events


def test_when_full_the_oldest_received_message_gives_way_and_is_counted() -> None:
    handoff = HandOff(2)
    for number in range(5):
        handoff.put(received(number))
    assert rest(handoff) == [received(3), received(4)]
    assert handoff.dropped == 3


def test_events_of_the_session_do_not_give_way_to_messages() -> None:
    handoff = HandOff(1)
    handoff.put(Connected("a"))
    handoff.put(Published(1, 0, True))
    for number in range(3):
        handoff.put(received(number))
    handoff.put(Disconnected("gone"))
    assert rest(handoff) == [Connected("a"), Published(1, 0, True), received(2), Disconnected("gone")]


def test_where_nobody_takes_anything_the_oldest_of_a_kind_gives_way_to_its_own_kind() -> None:
    handoff = HandOff(1)
    for token in range(PUBLISHED_MOST + 5):
        handoff.put(Published(token, 0, True))
    for number in range(OTHERS_MOST + 3):
        handoff.put(Connected(str(number)))
    events = rest(handoff)
    assert len(events) == PUBLISHED_MOST + OTHERS_MOST
    assert events[0] == Published(5, 0, True)
    assert handoff.dropped == 8


def test_a_poke_ends_a_wait_and_the_next_one_if_nobody_waits() -> None:
    handoff = HandOff(1)
    handoff.poke()
    assert handoff.get(30) is None
    waiting = threading.Thread(target=handoff.get, args=(30,))
    waiting.start()
    handoff.poke()
    waiting.join(5)
    assert not waiting.is_alive()


def test_a_poke_hides_no_event() -> None:
    handoff = HandOff(1)
    handoff.put(received(1))
    handoff.poke()
    assert handoff.get(0) == received(1)
