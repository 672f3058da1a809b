"""What the parts need of a broker, at each broker that the project names: Mosquitto, and the demo's embedded one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from platefleet.deploy.demo.broker import EmbeddedBroker
from platefleet.protocol import topics
from platefleet.protocol.codec import decode
from platefleet.protocol.messages import Presence
from platefleet.protocol.session import Broker, Connected, Disconnected, Published, Received
from tests.mosquitto import Mosquitto
from tests.proxy import Proxy
from tests.sessions import Listen, Listening


@pytest.fixture(params=[pytest.param("mosquitto", marks=pytest.mark.broker), "embedded"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    if request.param == "mosquitto":
        mosquitto: Mosquitto = request.getfixturevalue("mosquitto")
        yield mosquitto.broker
        return
    pytest.importorskip("iotcore")
    with EmbeddedBroker() as embedded:
        yield Broker("127.0.0.1", embedded.port, backoff_s=0.05, backoff_most_s=0.5)


def says(watcher: Listening, state: str) -> str:
    """Wait until the presence of north-1 says `state`; return its incarnation."""
    topic = topics.presence("north-1")
    seen = watcher.wait_for(Received, lambda r: r.topic == topic and decode(Presence, r.payload).state == state)
    return decode(Presence, seen.payload).incarnation


def test_messages_arrive_with_what_is_left_of_their_life(broker: Broker, listen: Listen) -> None:
    session = listen("north-1", broker, "t/+")
    session.wait_for(Connected)
    for qos in (0, 1):
        assert session.session.publish(f"t/{qos}", bytes(100_000), qos=qos, expiry_s=30) is not None
    got = [session.received(f"t/{qos}") for qos in (0, 1)]
    assert [(len(each.payload), each.retained) for each in got] == [(100_000, False)] * 2
    assert all(each.expiry_s is not None and 29 <= each.expiry_s <= 30 for each in got)


def test_birth_will_and_farewell_are_retained(broker: Broker, listen: Listen, make_proxy: type[Proxy]) -> None:
    proxy = make_proxy(broker.port)
    watcher = listen("watcher", broker, topics.presence("north-1"))
    watcher.wait_for(Connected)
    session = listen("north-1", replace(broker, port=proxy.port))
    first = session.wait_for(Connected).incarnation
    assert says(watcher, "online") == first
    proxy.cut()
    session.wait_for(Disconnected)
    second = session.wait_for(Connected).incarnation
    assert second != first
    assert says(watcher, "online") == second
    session.session.stop()
    assert says(watcher, "stopped") == second
    later = listen("later", broker, topics.presence("north-1"))
    assert says(later, "stopped") == second


def test_retained_messages_are_there_for_who_comes_later(broker: Broker, listen: Listen) -> None:
    session = listen("north-1", broker)
    session.session.retain("info", b"one")
    session.wait_for(Connected)
    first = listen("first", broker, "info")
    assert first.received("info").payload == b"one"
    session.session.retain("info", b"two")
    assert first.received("info").payload == b"two"
    again = listen("second", broker, "info").received("info")
    assert (again.payload, again.retained) == (b"two", True)


def test_a_quiet_session_is_kept_by_its_own_round_trips(broker: Broker, listen: Listen) -> None:
    session = listen("north-1", replace(broker, keepalive_s=1), "t/+")
    session.wait_for(Connected)
    assert not [e for e in session.drain(3.0) if isinstance(e, Disconnected)]
    assert session.session.publish("t/1", b"still here", qos=1) is not None
    assert session.received("t/1").payload == b"still here"


def test_a_burst_beyond_what_may_be_in_flight_arrives_in_order(broker: Broker, listen: Listen) -> None:
    session = listen("north-1", broker, "t/1")
    session.wait_for(Connected)
    sent, got = 0, []
    while len(got) < 500:
        while sent < 500 and session.session.publish("t/1", sent.to_bytes(2, "big"), qos=1) is not None:
            sent += 1
        event = session.session.next_event(5)
        assert event is not None
        if isinstance(event, Received) and event.topic == "t/1":
            got.append(int.from_bytes(event.payload, "big"))
        elif isinstance(event, Published):
            assert event.ok
    assert got == list(range(500))


def test_each_message_of_a_shared_subscription_goes_to_one_member(broker: Broker, listen: Listen) -> None:
    members = [listen(f"ingest-{n}", broker, topics.shared("ingest", "t/1")) for n in (1, 2)]
    for member in members:
        member.wait_for(Connected)
        member.drain(0.1)
    talker = listen("north-1", broker)
    talker.wait_for(Connected)
    for n in range(20):
        token = talker.session.publish("t/1", bytes([n]), qos=1)
        talker.wait_for(Published, lambda p, token=token: p.token == token)
    got = [e.payload[0] for m in members for e in m.drain(0.3) if isinstance(e, Received) and e.topic == "t/1"]
    assert sorted(got) == list(range(20))
