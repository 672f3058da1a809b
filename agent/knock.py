"""Asks a broker whether it would let this device in, and leaves again: no session, no will, nothing retained."""

from __future__ import annotations

import errno
import socket
import ssl
import struct

from platefleet.protocol.errors import SessionError
from platefleet.protocol.session import Broker
from platefleet.protocol.session.dial import Wake, dial
from platefleet.protocol.session.why import wants_tls, why

_CONNECT, _CONNACK, _DISCONNECT = 0x10, 0x20, 0xE0
_TLS_ALERT = 0x15
"""The first byte of a TLS alert, which is no MQTT packet of a broker (source: RFC 8446, 5.1)."""
_CLEAN_START, _PASSWORD, _USERNAME = 0x02, 0x40, 0x80
_VERSION_5, _KEEPALIVE_S = 5, 30
REFUSALS = {
    0x01: "it does not speak MQTT 5",
    0x84: "it does not speak MQTT 5",
    0x85: "it does not take this client id",
    0x86: "user name or password is wrong",
    0x87: "this user may not connect",
    0x88: "it is not available",
    0x89: "it is busy",
    0x8A: "this client is banned",
    0x8C: "it wants another kind of authentication",
    0x95: "it takes no packet of this size",
    0x97: "its quota is used up",
    0x9C: "another server is to be used",
    0x9D: "another server is to be used",
    0x9F: "too many connections come in",
}
"""Reason codes of CONNACK (source: MQTT 5, 3.2.2.2; 0x01: MQTT 3.1.1, 3.2.2.3)."""


def knock(client: str, broker: Broker, timeout_s: float) -> None:
    """Connect as `client`, read the answer, leave. Raises SessionError saying why that failed, ConfigError for TLS."""
    where = f"{broker.host}:{broker.port}"
    wake = Wake()
    try:
        tls = None if broker.tls is None else broker.tls.context(broker.names)
        with dial(broker.host, broker.port, tls, timeout_s=timeout_s, wake=wake, stopping=lambda: False) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(connect_packet(client, broker.username, broker.password))
            head = _received(connection, 4)
            connection.sendall(bytes((_DISCONNECT, 0)))
    except OSError as error:
        cut = isinstance(error, ConnectionResetError | BrokenPipeError) and broker.tls is None
        raise SessionError(
            wants_tls(broker) if cut and _speaks_tls(broker, timeout_s) else why(error, broker)
        ) from error
    finally:
        wake.close()
    if head[0] == _TLS_ALERT:
        raise SessionError(wants_tls(broker))
    if head[0] != _CONNACK:
        raise SessionError(f"{where}: what answers is no MQTT broker; check {broker.names.port}")
    if head[3] != 0:
        refusal = REFUSALS.get(head[3], f"reason code 0x{head[3]:02X}")
        raise SessionError(f"{where} refuses: {refusal}; check {broker.names.user}")


def _speaks_tls(broker: Broker, timeout_s: float) -> bool:
    """Return whether a handshake succeeds there, whoever it is: nothing is sent on it."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    wake = Wake()
    try:
        dial(broker.host, broker.port, anybody, timeout_s=timeout_s, wake=wake, stopping=lambda: False).close()
    except OSError:
        return False
    finally:
        wake.close()
    return True


def connect_packet(client: str, username: str | None, password: str | None) -> bytes:
    """Return MQTT 5's CONNECT, clean start, without will (source: MQTT 5, 3.1).

    >>> connect_packet("a", None, None).hex(" ")
    '10 0e 00 04 4d 51 54 54 05 02 00 1e 00 00 01 61'
    """
    flags = _CLEAN_START | (_USERNAME if username is not None else 0) | (_PASSWORD if password is not None else 0)
    body = _text("MQTT") + struct.pack(">BBHB", _VERSION_5, flags, _KEEPALIVE_S, 0)
    body += b"".join(_text(part) for part in (client, username, password) if part is not None)
    return bytes((_CONNECT,)) + _length(len(body)) + body


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def _length(value: int) -> bytes:
    """Return a variable byte integer (source: MQTT 5, 1.5.5)."""
    data = bytearray()
    while True:
        value, low = divmod(value, 128)
        data.append(low | (0x80 if value else 0))
        if not value:
            return bytes(data)


def _received(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionResetError(errno.ECONNRESET, "it closed the connection")
        data += more
    return data
