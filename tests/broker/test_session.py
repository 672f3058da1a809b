"""One session at the real Mosquitto: what it restores, refuses, notices and says."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from platefleet.deploy.demo.broker import free_port
from platefleet.protocol import topics
from platefleet.protocol.codec import decode
from platefleet.protocol.errors import SessionError
from platefleet.protocol.messages import Presence
from platefleet.protocol.session import (
    NO_SUBSCRIBER,
    Broker,
    Connected,
    Disconnected,
    ForeignIncarnation,
    Published,
    Received,
    Refused,
)
from platefleet.protocol.session.dial import Wake, dial
from tests.mosquitto import MakeMosquitto, Mosquitto
from tests.proxy import Proxy
from tests.sessions import Listen, Listening
from tests.until import BUSY, until

pytestmark = pytest.mark.broker
MakeProxy = Callable[[int], Proxy]


def presence(watcher: Listening, client: str, state: str, timeout_s: float = 30.0) -> Presence:
    """Wait until `client`'s presence says `state`."""
    topic = topics.presence(client)
    seen = watcher.wait_for(
        Received, lambda r: r.topic == topic and decode(Presence, r.payload).state == state, timeout_s
    )
    return decode(Presence, seen.payload)


def online(listening: Listening, timeout_s: float = 30.0) -> Connected:
    return listening.wait_for(Connected, timeout_s=timeout_s)


def test_what_is_published_arrives_and_its_token_comes_back(mosquitto: Mosquitto, listen: Listen) -> None:
    session = listen("north-1", mosquitto.broker, "t/#")
    online(session)
    token = session.session.publish("t/1", b"body", qos=1, expiry_s=30)
    assert token is not None
    got = session.received("t/1")
    assert (got.payload, got.retained, got.expiry_s) == (b"body", False, 30)
    online_again = [e for e in session.events if isinstance(e, Published) and e.token == token]
    assert online_again or session.wait_for(Published, lambda p: p.token == token).ok


def test_what_is_told_leaves_a_quiet_session_at_once(mosquitto: Mosquitto, listen: Listen) -> None:
    watcher = listen("watcher", mosquitto.broker, "t/#")
    session = listen("north-1", mosquitto.broker)
    online(watcher)
    online(session)
    told = (lambda: session.session.publish("t/0", b"", qos=1), lambda: session.session.retain("t/1", b"body"))
    for number, tell in enumerate(told):
        time.sleep(1.5)  # by now it waits for the network alone
        began = time.monotonic()
        tell()
        watcher.received(f"t/{number}")
        assert time.monotonic() - began < 0.5 * BUSY


def test_a_publish_that_nobody_receives_says_so(mosquitto: Mosquitto, listen: Listen) -> None:
    session = listen("north-1", mosquitto.broker)
    online(session)
    token = session.session.publish("t/1", b"", qos=1)
    said = session.wait_for(Published, lambda p: p.token == token)
    assert (said.ok, said.reason_code) == (True, NO_SUBSCRIBER)


def test_birth_and_farewell_are_retained_with_the_connections_incarnation(mosquitto: Mosquitto, listen: Listen) -> None:
    watcher = listen("watcher", mosquitto.broker, topics.presence("north-1"))
    online(watcher)
    session = listen("north-1", mosquitto.broker)
    incarnation = online(session).incarnation
    assert presence(watcher, "north-1", "online").incarnation == incarnation
    session.session.stop()
    assert presence(watcher, "north-1", "stopped").incarnation == incarnation
    later = listen("later", mosquitto.broker, topics.presence("north-1"))
    assert later.received(topics.presence("north-1")).retained
    assert watcher.drain(0.2) == []  # no will after an orderly farewell


def test_a_lost_connection_leaves_the_will(mosquitto: Mosquitto, listen: Listen, make_proxy: MakeProxy) -> None:
    proxy = make_proxy(mosquitto.port)
    watcher = listen("watcher", mosquitto.broker, topics.presence("north-1"))
    session = listen("north-1", replace(mosquitto.broker, port=proxy.port))
    incarnation = online(session).incarnation
    presence(watcher, "north-1", "online")
    proxy.refuse()
    proxy.cut()
    assert presence(watcher, "north-1", "lost").incarnation == incarnation


def test_nothing_published_while_away_is_queued(mosquitto: Mosquitto, listen: Listen) -> None:
    session = listen("north-1", mosquitto.broker, "t/#")
    online(session)
    mosquitto.kill()
    session.wait_for(Disconnected)
    assert session.session.publish("t/1", b"away", qos=1) is None
    assert session.session.publish("t/1", b"away", qos=0) is None
    mosquitto.start()
    online(session)
    assert session.session.publish("t/2", b"back", qos=1) is not None
    assert session.received("t/2").payload == b"back"
    assert not [e for e in session.events if isinstance(e, Received) and e.topic == "t/1"]


def test_the_library_sends_nothing_again_after_a_reconnect(
    mosquitto: Mosquitto, listen: Listen, make_proxy: MakeProxy
) -> None:
    proxy = make_proxy(mosquitto.port)
    watcher = listen("watcher", mosquitto.broker, "t/#")
    online(watcher)
    session = listen("north-1", replace(mosquitto.broker, port=proxy.port))
    online(session)
    session.drain(0.1)
    proxy.stall("up")
    tokens = [session.session.publish("t/1", b"stale", qos=1) for _ in range(5)]
    assert None not in tokens
    proxy.cut()
    session.wait_for(Disconnected)
    proxy.resume()
    online(session)
    session.session.publish("t/2", b"fresh", qos=1)
    assert watcher.received("t/2").payload == b"fresh"
    assert not [e for e in watcher.events if isinstance(e, Received) and e.topic == "t/1"]


def test_subscriptions_and_retained_messages_are_restored_at_a_broker_that_forgot_everything(
    mosquitto: Mosquitto, listen: Listen
) -> None:
    session = listen("north-1", mosquitto.broker, "t/#")
    session.session.retain("info", b"one")
    online(session)
    session.session.retain("info", b"two")
    mosquitto.kill()
    session.wait_for(Disconnected)
    mosquitto.start()
    online(session)
    watcher = listen("watcher", mosquitto.broker, topics.presence("north-1"))
    presence(watcher, "north-1", "online")
    reader = listen("reader", mosquitto.broker, "info")  # another one: which of two topics comes first nobody says
    assert reader.received("info").payload == b"two"
    reader.session.publish("t/1", b"still subscribed")
    assert session.received("t/1").payload == b"still subscribed"


def test_no_more_is_handed_over_than_may_be_in_flight(
    mosquitto: Mosquitto, listen: Listen, make_proxy: MakeProxy
) -> None:
    proxy = make_proxy(mosquitto.port)
    session = listen("north-1", replace(mosquitto.broker, port=proxy.port, in_flight=8))
    online(session)
    until(lambda: session.session.room() == 8)
    proxy.stall("down")
    tokens = [session.session.publish("t/1", b"", qos=1) for _ in range(10)]
    assert [token is not None for token in tokens] == [True] * 8 + [False] * 2
    proxy.resume()
    session.wait_for(Published, lambda p: p.token == tokens[7])
    assert session.session.publish("t/1", b"", qos=1) is not None


def test_a_packet_above_the_brokers_limit_is_refused_here(make_mosquitto: MakeMosquitto, listen: Listen) -> None:
    mosquitto = make_mosquitto(lines=("max_packet_size 2000",))
    session = listen("north-1", mosquitto.broker, "t/1")
    online(session)
    with pytest.raises(SessionError, match="limit of 2000 bytes"):
        session.session.publish("t/1", bytes(2000), qos=1)
    assert session.session.publish("t/1", bytes(1900), qos=1) is not None
    session.received("t/1")
    assert session.session.health().connections == 1


def test_the_size_of_a_packet_is_known_to_the_byte(make_mosquitto: MakeMosquitto, listen: Listen) -> None:
    """The broker would end the connection at the first byte too many."""
    mosquitto = make_mosquitto(lines=("max_packet_size 2000",))
    session = listen("north-1", mosquitto.broker)
    online(session)
    taken = []
    for size in range(1960, 1975):
        try:
            token = session.session.publish("t/1", bytes(size), qos=1)
        except SessionError:
            continue
        assert session.wait_for(Published, lambda p, token=token: p.token == token).ok
        taken.append(size)
    # 2000 less 3 of fixed header, 5 of topic, 2 of packet id, 1 + 3 + 19 of the property content type
    assert taken == list(range(1960, 1968))


def test_a_topic_that_is_none_is_refused_here_and_costs_no_place(mosquitto: Mosquitto, listen: Listen) -> None:
    session = listen("north-1", replace(mosquitto.broker, in_flight=2))
    online(session)
    for _ in range(5):
        with pytest.raises(SessionError, match="wildcards"):
            session.session.publish("t/#", b"")
    assert until(lambda: session.session.publish("t/1", b"", qos=1)) is not None


def test_a_publish_that_the_acl_denies_is_visible(make_mosquitto: MakeMosquitto, listen: Listen) -> None:
    acl = "user north-1\ntopic readwrite alpr/1/north-1/#\n"
    mosquitto = make_mosquitto(users={"north-1": "secret"}, acl=acl)
    session = listen("north-1", replace(mosquitto.broker, username="north-1", password="secret"))
    online(session)
    token = session.session.publish("alpr/1/south-1/up/plate", b"", qos=1)
    said = session.wait_for(Published, lambda p: p.token == token)
    assert (said.ok, said.reason_code) == (False, 0x87)
    assert session.session.health().denied == 1


def test_a_wrong_password_is_refused_counted_and_tried_again(make_mosquitto: MakeMosquitto, listen: Listen) -> None:
    mosquitto = make_mosquitto(users={"north-1": "secret"})
    broker = replace(mosquitto.broker, username="north-1", password="guess", refused_most_s=0.5)
    session = listen("north-1", broker)
    refused = session.wait_for(Refused)
    assert refused.permanent
    assert "Not authorized" in refused.reason
    session.wait_for(Refused)
    health = session.session.health()
    assert health.state == "refused"
    assert health.refused >= 2
    assert "guess" not in health.reason


def test_a_broker_that_is_away_at_the_start_is_found_when_it_comes(mosquitto: Mosquitto, listen: Listen) -> None:
    mosquitto.kill()
    session = listen("north-1", mosquitto.broker)
    until(lambda: session.session.health().failed >= 2)
    health = session.session.health()
    assert "cannot be reached: Connection refused" in health.reason
    mosquitto.start()
    online(session)
    assert session.session.health().state == "online"


def test_a_stale_will_that_overwrote_our_birth_is_answered(mosquitto: Mosquitto, listen: Listen) -> None:
    watcher = listen("watcher", mosquitto.broker, topics.presence("north-1"))
    session = listen("north-1", mosquitto.broker)
    incarnation = online(session).incarnation
    presence(watcher, "north-1", "online")
    old = session.session._announcement.lost("0" * 32)
    watcher.session.publish(topics.presence("north-1"), old, qos=1, retain=True)
    presence(watcher, "north-1", "lost")
    assert presence(watcher, "north-1", "online").incarnation == incarnation
    assert session.session.health().restored == 1


def test_another_machine_with_this_identity_is_noticed_and_the_kicking_ends(
    mosquitto: Mosquitto, listen: Listen
) -> None:
    broker = replace(mosquitto.broker, foreign_pause_s=30.0)
    first = listen("north-1", broker)
    online(first)
    second = listen("north-1", broker)

    def noticed() -> list[Listening]:
        for each in (first, second):
            each.drain(0.05)
        return [each for each in (first, second) if any(isinstance(e, ForeignIncarnation) for e in each.events)]

    loser, *_ = until(noticed, 20)
    health = loser.session.health()
    assert health.state == "foreign"
    assert "another machine has this identity" in health.reason
    until(lambda: {each.session.health().state for each in (first, second)} <= {"foreign", "online"})
    before = [each.session.health().connections for each in (first, second)]
    first.drain(1.0)
    assert [each.session.health().connections for each in (first, second)] == before


@pytest.mark.parametrize("directions", [("up",), ("down",), ("up", "down")])
def test_a_half_open_link_is_noticed_within_one_and_a_half_keepalives(
    mosquitto: Mosquitto, listen: Listen, make_proxy: MakeProxy, directions: tuple[str, ...]
) -> None:
    """With messages flowing the other way, when paho itself sends no ping."""
    proxy = make_proxy(mosquitto.port)
    chatter = listen("chatter", mosquitto.broker)
    online(chatter)
    session = listen("north-1", replace(mosquitto.broker, port=proxy.port, keepalive_s=1), "t/#")
    online(session)
    session.drain(0.1)
    stop = threading.Event()

    def talk() -> None:
        while not stop.wait(0.1):
            chatter.session.publish("t/1", b"")
            session.session.publish("u/1", b"")

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        began = time.monotonic()
        proxy.stall(*directions)  # type: ignore[arg-type]  # the literals that `parametrize` hides
        gone = session.wait_for(Disconnected)
        took_s = time.monotonic() - began
    finally:
        stop.set()
        talking.join()
    assert not gone.by_peer
    assert 0.9 < took_s < 2.5 * BUSY  # 1.5, and what a busy machine adds
    proxy.resume()
    online(session)


def test_a_broker_that_asks_for_a_shorter_keepalive_gets_it(
    make_mosquitto: MakeMosquitto, listen: Listen, make_proxy: MakeProxy
) -> None:
    """Its own of ten minutes would notice a dead link in a quarter of an hour only."""
    mosquitto = make_mosquitto(lines=("max_keepalive 10",))  # the least that Mosquitto takes
    proxy = make_proxy(mosquitto.port)
    session = listen("north-1", replace(mosquitto.broker, port=proxy.port, keepalive_s=600))
    online(session)
    began = time.monotonic()
    proxy.stall("up", "down")
    session.wait_for(Disconnected, timeout_s=60)
    assert 9 < time.monotonic() - began < 17 * BUSY  # 15, and a moment


def test_a_quiet_link_stays_up(mosquitto: Mosquitto, listen: Listen) -> None:
    session = listen("north-1", replace(mosquitto.broker, keepalive_s=1))
    online(session)
    session.drain(0.2)
    assert not [e for e in session.drain(3.5) if not isinstance(e, Published)]
    assert session.session.health().connections == 1


@pytest.mark.parametrize("situation", ["online", "refusing", "stalled", "silent"])
def test_a_stop_takes_less_than_two_seconds_wherever_the_session_is(
    mosquitto: Mosquitto, listen: Listen, make_proxy: MakeProxy, situation: str
) -> None:
    proxy = make_proxy(mosquitto.port)
    broker = replace(mosquitto.broker, port=free_port() if situation == "refusing" else proxy.port)
    if situation == "silent":
        proxy.stall()
    session = listen("north-1", broker)
    if situation in {"online", "stalled"}:
        online(session)
    else:
        session.drain(0.2)
    if situation == "stalled":
        proxy.stall()
    thread = session.session._thread
    assert thread is not None
    began = time.monotonic()
    session.session.stop()
    assert time.monotonic() - began < 2 * BUSY
    assert not thread.is_alive()
    assert session.session.health().state == "stopped"


def test_a_stop_interrupts_connecting_to_an_address_that_never_answers(listen: Listen) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        port = deaf.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # a full backlog lets the next connection hang in SYN
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        session = listen("north-1", Broker("127.0.0.1", port))
        assert session.session.next_event(0.3) is None
        began = time.monotonic()
        session.session.stop()
        assert time.monotonic() - began < 1 * BUSY
        for filler in fillers:
            filler.close()


def test_the_socket_is_opened_without_nagle(mosquitto: Mosquitto) -> None:
    wake = Wake()
    sock = dial("127.0.0.1", mosquitto.port, None, timeout_s=5, wake=wake, stopping=lambda: False)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    sock.close()
    wake.close()


def test_a_session_works_with_descriptors_above_1023(mosquitto: Mosquitto, listen: Listen) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip("this machine allows no descriptors above 1023")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    holes = [socket.socket() for _ in range(1100)]
    try:
        session = listen("north-1", mosquitto.broker)
        online(session)
        session.session.stop()
    finally:
        for hole in holes:
            hole.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_slow_consumer_loses_the_oldest_received_messages_and_hears_of_it(
    mosquitto: Mosquitto, listen: Listen
) -> None:
    session = listen("north-1", mosquitto.broker, "t/#", queue_size=10)
    talker = listen("talker", mosquitto.broker)
    online(talker)
    until(lambda: session.session.health().state == "online")
    sent = 0
    while sent < 50:
        if talker.session.publish("t/1", bytes([sent]), qos=1) is not None:
            sent += 1
        else:
            talker.session.next_event(0.1)
    until(lambda: session.session.health().dropped >= 40)
    bodies = [e.payload[0] for e in session.drain(0.2) if isinstance(e, Received) and e.topic == "t/1"]
    assert bodies == list(range(40, 50))
    assert any(isinstance(e, Connected) for e in session.events)
