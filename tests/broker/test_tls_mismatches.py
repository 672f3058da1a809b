"""Settings that do not fit a broker's TLS: one sentence that says what is wrong and which setting to change."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from platefleet.agent.knock import knock
from platefleet.protocol.errors import SessionError
from platefleet.protocol.session import OPTIONS, Broker, Tls
from platefleet.protocol.session.dial import Unanswered
from platefleet.protocol.session.why import why
from tests.authority import Authority
from tests.mosquitto import MakeMosquitto
from tests.sessions import Listen
from tests.until import until

pytestmark = pytest.mark.broker


@dataclass(frozen=True)
class Site:
    """Two brokers, one with TLS and one without, and two authorities."""

    tls: Broker
    plain: Broker
    own: Authority
    other: Authority

    def settings(self, case: str) -> Broker:
        own, other = self.own, self.other
        return {
            "off where the broker has it": self.tls,
            "on where the broker has none": replace(self.plain, tls=Tls(own.ca)),
            "another name": replace(self.tls, host="127.0.0.1", tls=Tls(own.ca, *own.issue("north-1"))),
            "an unknown authority": replace(self.tls, tls=Tls(other.ca, *own.issue("north-1"))),
            "none of the machine's authorities": replace(self.tls, tls=Tls(None, *own.issue("north-1"))),
            "no certificate of ours": replace(self.tls, tls=Tls(own.ca)),
            "a certificate of ours by another authority": replace(self.tls, tls=Tls(own.ca, *other.issue("north-1"))),
        }[case]


@pytest.fixture
def site(make_mosquitto: MakeMosquitto, tmp_path: Path) -> Site:
    own, other = Authority.make(tmp_path / "own"), Authority.make(tmp_path / "other")
    tls = make_mosquitto(tls=(own.ca, *own.issue("broker", "localhost"))).broker
    plain = make_mosquitto().broker
    return Site(replace(tls, host="localhost"), replace(plain, host="localhost"), own, other)


SAID = [
    # what does not fit, what `agent check` says, what a session says that has only this one connection to judge by
    ("off where the broker has it", ("speaks TLS, and we do not", "[broker.tls]"), ("if it wants TLS", "--tls")),
    ("on where the broker has none", ("does not speak TLS", "[broker.tls]"), ("does not speak TLS", "leave out --tls")),
    ("another name", ("IP address mismatch", "broker.host"), ("IP address mismatch", "name the broker in --broker")),
    ("an unknown authority", ("no authority in", "broker.tls.ca_file"), ("no authority in", "--ca-file")),
    ("none of the machine's authorities", ("this machine knows", "broker.tls.ca_file"), ("this machine", "--ca-file")),
    ("no certificate of ours", ("wants a certificate", "broker.tls.cert_file"), ("wants a certificate", "--cert-file")),
    (
        "a certificate of ours by another authority",
        ("our certificate", "broker.tls.cert_file"),
        ("our certificate", "--cert-file"),
    ),
]


@pytest.mark.parametrize(("case", "wanted"), [(case, checked) for case, checked, _ in SAID])
def test_the_check_says_what_does_not_fit_and_names_the_key(case: str, wanted: tuple[str, ...], site: Site) -> None:
    with pytest.raises(SessionError) as raised:
        knock("north-1", site.settings(case), 5.0)
    said = str(raised.value)
    assert all(part in said for part in wanted), said
    assert said.startswith(("localhost:", "127.0.0.1:", "the certificate of "))


@pytest.mark.parametrize(("case", "wanted"), [(case, told) for case, _, told in SAID])
def test_a_session_says_it_too_and_names_the_option_where_it_has_options(
    case: str, wanted: tuple[str, ...], site: Site, listen: Listen
) -> None:
    session = listen("ingest-1", replace(site.settings(case), names=OPTIONS)).session
    until(lambda: all(part in session.health().reason for part in wanted), 10)


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: Unanswered(0, "nothing came in answer to the beginning of TLS"), "does not speak TLS (nothing came"),
        (lambda: alert("WRONG_VERSION_NUMBER"), "broker.example:8883 does not speak TLS; name its TLS port"),
        (lambda: alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "wants a certificate of ours; name it in broker.tls.cert"),
        (lambda: alert("TLSV1_ALERT_UNKNOWN_CA"), "does not take our certificate (TLSV1_ALERT_UNKNOWN_CA); name one"),
        (lambda: alert("NO_SHARED_CIPHER"), "TLS failed (NO_SHARED_CIPHER); check broker.port and [broker.tls]"),
        (lambda: verification(10, "certificate has expired"), "has expired; renew it at the broker"),
        (lambda: verification(9, "certificate is not yet valid"), "not yet valid; set this machine's clock"),
        (lambda: verification(24, "invalid CA certificate"), "invalid CA certificate; check broker.tls.ca_file"),
        (lambda: ConnectionRefusedError(111, "Connection refused"), "cannot be reached: Connection refused; check"),
    ],
)
def test_what_else_can_be_wrong_has_its_sentence(make: Callable[[], OSError], wanted: str) -> None:
    assert wanted in why(make(), Broker("broker.example", 8883, tls=Tls()))


def verification(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, message)
    error.verify_code, error.verify_message = code, message
    return error


def alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error
