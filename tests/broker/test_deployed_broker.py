"""The broker as `deploy/broker` sets it up: who hears whom, judged by what is delivered; and what the probe finds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from platefleet.protocol import topics
from platefleet.protocol.session import Broker, Connected, Received
from tests.mosquitto import MakeMosquitto, Mosquitto
from tests.sessions import Listen, Listening
from tests.until import until

pytestmark = pytest.mark.broker
DEPLOYED = Path("deploy/broker")
USERS = ("north-1", "south-1", "gate-1", "ingest-1", "console")
HERE = ("listener", "cafile", "certfile", "keyfile", "tls_version", "allow_anonymous", "password_file", "acl_file")
"""Lines of the configuration that a test writes itself: its port, its files."""


@pytest.fixture
def deployed(make_mosquitto: MakeMosquitto) -> Mosquitto:
    lines = [line for line in (DEPLOYED / "mosquitto.conf").read_text().splitlines() if line and line[0] != "#"]
    kept = [line for line in lines if line.split()[0] not in {*HERE, "set_tcp_nodelay", "persistence"}]
    acl = (DEPLOYED / "acl").read_text()
    return make_mosquitto(users={name: f"{name}'s" for name in USERS}, acl=acl, lines=tuple(kept))


def reached(mosquitto: Mosquitto, user: str) -> Broker:
    return replace(mosquitto.broker, username=user, password=f"{user}'s")


CHANNELS = [
    # who says it, on what, who hears it; its sender does too, under its own name
    ("north-1", "alpr/1/north-1/up/plate", ("gate-1", "ingest-1", "console")),
    ("north-1", "alpr/1/north-1/up/presence", ("gate-1", "ingest-1", "console", "north-1")),
    ("south-1", "alpr/1/south-1/up/plate", ("ingest-1", "console")),
    ("north-1", "alpr/1/north-1/up/fleet", ("console", "ingest-1")),
    ("ingest-1", "alpr/1/north-1/down/ack", ("north-1",)),
    ("ingest-1", "alpr/1/host/1", USERS),
    ("console", "alpr/1/north-1/down/command", ("north-1",)),
    ("console", "alpr/1/north-1/down/desired", ("north-1",)),
    ("console", "alpr/1/trust", USERS),
    ("gate-1", "alpr/1/north-1/down/beat", ("north-1",)),
]
FORBIDDEN = [
    ("north-1", "alpr/1/south-1/up/plate"),
    ("north-1", "alpr/1/north-1/down/ack"),
    ("north-1", "alpr/1/north-1/down/command"),
    ("north-1", "alpr/1/north-1/down/beat"),
    ("north-1", "alpr/1/trust"),
    ("north-1", "alpr/1/host/1"),
    ("gate-1", "alpr/1/north-1/up/plate"),
    ("gate-1", "alpr/1/south-1/down/beat"),
    ("gate-1", "alpr/1/north-1/down/command"),
    ("ingest-1", "alpr/1/north-1/up/plate"),
    ("ingest-1", "alpr/1/north-1/down/command"),
    ("console", "alpr/1/north-1/up/plate"),
    ("console", "alpr/1/north-1/down/ack"),
]


def test_everybody_hears_what_is_meant_for_them_and_nothing_else(deployed: Mosquitto, listen: Listen) -> None:
    wanted = sorted({topic for _, topic, _ in CHANNELS} | {topic for _, topic in FORBIDDEN})
    clients = {user: listen(user, reached(deployed, user), *wanted, topics.info(user)) for user in USERS}
    for user, client in clients.items():
        client.wait_for(Connected)
        assert client.session.publish(topics.info(user), b"subscribed", qos=1) is not None
        client.received(topics.info(user))
    for sender, topic in FORBIDDEN:
        assert clients[sender].session.publish(topic, b"forbidden", qos=1) is not None
    for sender, topic, _ in CHANNELS:
        assert clients[sender].session.publish(topic, b"meant", qos=1) is not None
    for user, client in clients.items():
        denied = sum(sender == user for sender, _ in FORBIDDEN)
        until(lambda client=client, denied=denied: client.session.health().denied == denied)
        own = f"alpr/1/{user}/up/"
        told = {topic for _, topic, hearers in CHANNELS if user in hearers or topic.startswith(own)}
        while heard(client) < told:
            client.wait_for(Received)
    assert clients["console"].session.publish(topics.trust(), b"the end", qos=1) is not None
    for user, client in clients.items():
        client.wait_for(Received, lambda received: received.payload == b"the end")
        own = f"alpr/1/{user}/up/"
        told = {topic for _, topic, hearers in CHANNELS if user in hearers or topic.startswith(own)}
        assert heard(client) == told, user
        assert heard(client, b"forbidden") == set(), user


def heard(client: Listening, payload: bytes = b"meant") -> set[str]:
    """Return on which topics a client got this; births and wills are no part of the table."""
    return {e.topic for e in client.events if isinstance(e, Received) and e.payload == payload}


def test_the_client_id_is_the_users_name(deployed: Mosquitto, listen: Listen) -> None:
    listen("north-1", reached(deployed, "south-1")).wait_for(Connected)
    assert "as south-1" in deployed.log()
    assert "as north-1" not in deployed.log()


def measured(listen: Listen, client: str, broker: Broker) -> tuple[str, ...]:
    """Return what the probe of a first connection says."""
    session = listen(client, replace(broker, probe=True, shared=True)).session
    until(lambda: session._honours is not None and session._honours.result is not None, 20)
    assert session.health().denied == 0
    return session.health().shortfalls


def test_the_probe_finds_nothing_amiss_with_it_and_leaves_nothing_there(deployed: Mosquitto, listen: Listen) -> None:
    with ThreadPoolExecutor() as together:
        users = ("north-1", "gate-1", "console")
        assert list(together.map(lambda user: measured(listen, user, reached(deployed, user)), users)) == [()] * 3
    watcher = listen("ingest-1", reached(deployed, "ingest-1"), "alpr/1/+/up/#")
    watcher.received(topics.presence("north-1"))
    watcher.drain(0.2)
    assert not [e for e in watcher.events if isinstance(e, Received) and "/up/probe/" in e.topic and e.payload]


def test_the_probe_says_what_an_open_broker_with_small_limits_lacks(
    make_mosquitto: MakeMosquitto, listen: Listen
) -> None:
    mosquitto = make_mosquitto(lines=("max_packet_size 20000", "max_inflight_messages 3"))
    said = measured(listen, "north-1", mosquitto.broker)
    for line in (
        "max_packet_size 262144",
        "max_inflight_messages 20",
        "use_username_as_clientid",
    ):
        assert any(line in sentence for sentence in said), said


def test_the_probe_says_that_our_own_messages_cannot_be_read(make_mosquitto: MakeMosquitto, listen: Listen) -> None:
    acl = "pattern write alpr/1/%c/up/#\npattern read alpr/1/%c/down/#\npattern read alpr/1/%c/up/presence\n"
    mosquitto = make_mosquitto(acl=acl)
    said = measured(listen, "north-1", mosquitto.broker)
    assert any("pattern readwrite alpr/1/%c/up/#" in sentence for sentence in said), said
