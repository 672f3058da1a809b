"""Why a broker does not let us in, one sentence: what is wrong, and the setting to change."""

from __future__ import annotations

import ssl

from platefleet.protocol.session.dial import Unanswered
from platefleet.protocol.session.settings import Broker

EXPIRED, TOO_EARLY = 10, 9
NO_AUTHORITY = frozenset({2, 18, 19, 20, 21, 27})
OTHER_NAME = frozenset({62, 64})
"""Verification errors (source: OpenSSL, x509_vfy.h)."""
SPEAKS_ELSE = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST"})
WANTS_CERTIFICATE = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE"})
WANTS_ANOTHER = frozenset(
    {
        "TLSV1_ALERT_UNKNOWN_CA",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "TLSV1_ALERT_ACCESS_DENIED",
    }
)
"""What comes in place of a handshake, and alerts of a broker that looks at our certificate (source: sslerr.h)."""


def why(error: OSError, broker: Broker) -> str:
    """Return why no connection came about. error: of `dial`, or of the first words behind it."""
    where, names = f"{broker.host}:{broker.port}", broker.names
    match error:
        case ssl.SSLCertVerificationError():
            return f"the certificate of {where} is not trusted: {_distrust(error, broker)}"
        case ssl.SSLEOFError() | ConnectionResetError() | BrokenPipeError():
            return unanswered(broker)
        case ssl.SSLError():
            return f"{where} {_tls(error.reason or str(error), broker)}"
        case Unanswered():
            return f"{where} {_no_tls(f' ({error.strerror})', broker)}"
        case _:
            said = error.strerror or error
            return f"{where} cannot be reached: {said}; check {names.host} and that the broker runs"


def unanswered(broker: Broker) -> str:
    """Return what it can mean that a broker ends a connection before it has answered."""
    names = broker.names
    if broker.tls is None:
        doubt = f"if it wants TLS, turn it on with {names.tls}"
    elif broker.tls.cert_file is None:
        doubt = f"if it wants a certificate of ours, name it in {names.cert_file}"
    else:
        doubt = f"it may not take our certificate, {names.cert_file}"
    return f"{broker.host}:{broker.port} closed the connection without an answer; {doubt}"


def wants_tls(broker: Broker) -> str:
    """Return what to say of a broker that was found to speak TLS, while our settings do not."""
    return f"{broker.host}:{broker.port} speaks TLS, and we do not; turn it on with {broker.names.tls}"


def _tls(reason: str, broker: Broker) -> str:
    names = broker.names
    if reason in SPEAKS_ELSE:
        return _no_tls("", broker)
    if reason in WANTS_CERTIFICATE:
        return f"wants a certificate of ours; name it in {names.cert_file}, and its key in {names.key_file}"
    if reason in WANTS_ANOTHER:
        return f"does not take our certificate ({reason}); name one that its CA has signed in {names.cert_file}"
    return f"cannot be reached: TLS failed ({reason}); check {names.port} and {names.tls}"


def _no_tls(said: str, broker: Broker) -> str:
    return f"does not speak TLS{said}; name its TLS port in {broker.names.port}, or leave out {broker.names.tls}"


def _distrust(error: ssl.SSLCertVerificationError, broker: Broker) -> str:
    names, said = broker.names, error.verify_message.rstrip(".")
    if error.verify_code in OTHER_NAME:
        return f"{said}; name the broker in {names.host} as its certificate does, or give it one for this name"
    if error.verify_code in NO_AUTHORITY:
        known = broker.tls.ca_file if broker.tls else None
        at = "no authority that this machine knows has" if known is None else f"no authority in {known} has"
        return f"{at} signed it ({said}); name the CA of the broker in {names.ca_file}"
    if error.verify_code == EXPIRED:
        return f"{said}; renew it at the broker, or set this machine's clock"
    if error.verify_code == TOO_EARLY:
        return f"{said}; set this machine's clock"
    return f"{said}; check {names.ca_file}"
