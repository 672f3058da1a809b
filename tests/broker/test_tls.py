"""TLS to the real Mosquitto, which asks for the client's certificate: who is let in, and what a refusal says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from platefleet.protocol.session import Broker, Connected, Refused, Tls
from tests.authority import Authority
from tests.mosquitto import MakeMosquitto, Mosquitto
from tests.sessions import Listen

pytestmark = pytest.mark.broker


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path / "authority")


def serving(make_mosquitto: MakeMosquitto, authority: Authority, *hosts: str, days: int = 1) -> Mosquitto:
    """Start a broker with a certificate for `hosts`."""
    return make_mosquitto(tls=(authority.ca, *authority.issue("broker", *hosts, days=days)))


def reached(mosquitto: Mosquitto, authority: Authority, client: str | None = "north-1") -> Broker:
    certificate, key = authority.issue(client) if client else (None, None)
    tls = Tls(authority.ca, certificate, key)
    return replace(mosquitto.broker, host="localhost", tls=tls, refused_most_s=0.5)


def test_with_certificates_on_both_ends_the_session_works(
    make_mosquitto: MakeMosquitto, authority: Authority, listen: Listen
) -> None:
    mosquitto = serving(make_mosquitto, authority, "localhost")
    session = listen("north-1", reached(mosquitto, authority), "t/#")
    session.wait_for(Connected)
    body = bytes(range(256)) * 400  # several TLS records in one packet
    assert session.session.publish("t/1", body, qos=1) is not None
    assert session.received("t/1").payload == body
    for number in range(15):
        session.session.publish("t/2", bytes([number]))
    assert [session.received("t/2").payload[0] for _ in range(15)] == list(range(15))


def test_a_broker_of_another_authority_is_not_trusted(
    make_mosquitto: MakeMosquitto, authority: Authority, listen: Listen, tmp_path: Path
) -> None:
    mosquitto = serving(make_mosquitto, Authority.make(tmp_path / "other"), "localhost")
    refused = listen("north-1", reached(mosquitto, authority)).wait_for(Refused)
    assert refused.permanent
    assert "is not trusted" in refused.reason


def test_a_certificate_for_another_host_is_not_trusted(
    make_mosquitto: MakeMosquitto, authority: Authority, listen: Listen
) -> None:
    mosquitto = serving(make_mosquitto, authority, "broker.example")
    refused = listen("north-1", reached(mosquitto, authority)).wait_for(Refused)
    assert "Hostname mismatch" in refused.reason


def test_an_expired_certificate_is_not_trusted(
    make_mosquitto: MakeMosquitto, authority: Authority, listen: Listen
) -> None:
    mosquitto = serving(make_mosquitto, authority, "localhost", days=-1)
    refused = listen("north-1", reached(mosquitto, authority)).wait_for(Refused)
    assert "expired" in refused.reason


def test_without_a_certificate_of_ours_the_broker_lets_nobody_in(
    make_mosquitto: MakeMosquitto, authority: Authority, listen: Listen
) -> None:
    mosquitto = serving(make_mosquitto, authority, "localhost")
    session = listen("north-1", reached(mosquitto, authority, client=None))
    assert session.drain(1.0) is not None
    health = session.session.health()
    assert health.connections == 0
    assert health.failed > 0


def test_a_stop_interrupts_a_handshake_with_somebody_who_says_nothing(
    mosquitto: Mosquitto, authority: Authority, listen: Listen
) -> None:
    """A broker without TLS waits for a CONNECT, we wait for its certificate."""
    certificate, key = authority.issue("north-1")
    broker = replace(mosquitto.broker, tls=Tls(authority.ca, certificate, key))
    session = listen("north-1", broker)
    session.drain(0.2)
    session.session.stop(timeout_s=1.0)
    assert session.session.health().state == "stopped"
