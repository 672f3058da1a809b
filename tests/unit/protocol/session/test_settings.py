"""Settings of the session: what cannot be used is told by its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from platefleet.protocol.clock import SystemClock
from platefleet.protocol.errors import ConfigError, ProtocolError
from platefleet.protocol.session import Broker, Session, Tls


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"host": ""}, "broker.host"),
        ({"port": 0}, "broker.port"),
        ({"port": 70000}, "broker.port"),
        ({"keepalive_s": 0}, "broker.keepalive_s"),
        ({"in_flight": 0}, "broker.in_flight"),
        ({"password": "secret"}, "broker.password"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(settings: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        Broker(**{"host": "localhost", **settings})  # type: ignore[arg-type]  # one of them is wrong on purpose


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(Broker("localhost", username="north-1", password="secret"))


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_text(content)
    with pytest.raises(ConfigError, match=r"tls\.ca_file"):
        Session("north-1", Broker("localhost", tls=Tls(ca)), clock=SystemClock())


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="belong together"):
        Tls(cert_file=tmp_path / "cert.pem").context()


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("nothing")
    with pytest.raises(ConfigError, match=r"tls\.cert_file"):
        Tls(cert_file=tmp_path / "cert.pem", key_file=tmp_path / "key.pem").context()


def test_a_client_id_that_could_smuggle_levels_into_a_topic_is_refused() -> None:
    with pytest.raises(ProtocolError):
        Session("north/1", Broker("localhost"), clock=SystemClock())
