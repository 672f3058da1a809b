"""TLS to the real Mosquitto, which asks for the client's certificate: who is let in, and what a refusal says."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from platefleet.protocol.session import Broker, Connected, Refused, Tls
from tests.mosquitto import MakeMosquitto, Mosquitto
from tests.sessions import Listen

pytestmark = pytest.mark.broker
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """A certificate authority of a test's own, in a folder."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, folder: Path) -> Authority:
        folder.mkdir()
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("authority")
        certificate = (
            _certificate(name, name, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(True, False, False, False, False, True, True, False, False),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        made = cls(folder, key, certificate)
        made.ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return made

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, name: str, *hosts: str, days: int = 1) -> tuple[Path, Path]:
        """Return certificate and key of `name`, for these host names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _certificate(_name(name), self.certificate.subject, key, days).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        )
        if hosts:
            names: list[x509.GeneralName] = [
                x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
                for host in hosts
            ]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate, private = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        signed = builder.sign(self.key, hashes.SHA256())
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, private


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 30 * DAY)
        .not_valid_after(now + days * DAY)
    )


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
