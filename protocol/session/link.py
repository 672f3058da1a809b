"""One connection over paho: the border to the library. Beside `client` nothing else imports paho.

A link lives for one connection and is thrown away with its paho client, so the library has nothing to send again and
no state to carry over. Its callbacks only note what happened; `turn` returns it. Only the thread that calls `turn`
reads and writes the socket (paho's own `publish` would write from any thread), and it waits with `poll`, because
`select` fails with descriptors above 1023.
"""

from __future__ import annotations

import logging
import select
import ssl
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from platefleet.protocol.clock import Clock
from platefleet.protocol.errors import SessionError
from platefleet.protocol.session.client import Client, packed_once, reason_of
from platefleet.protocol.session.dial import Wake, dial
from platefleet.protocol.session.events import Received
from platefleet.protocol.session.happened import Acknowledged, Closed, Greeted, Happened, Subscribed
from platefleet.protocol.session.settings import Broker

LOG = logging.getLogger(__name__)
CONTENT_TYPE = "application/msgpack"
RECEIVE_LIMIT_BYTES = 256 * 1024
"""Told to the broker as our maximum packet size: a message is at most one frame of 128 KiB and what is around it."""
PUBLISH_LIMIT_BYTES = 268_435_455
"""The largest MQTT packet (source: MQTT 5, 1.5.5)."""
DENIED = 0x80
"""Reason codes from here on are refusals (source: MQTT 5, 2.4)."""
KEEPALIVE = 0x8D
PERMANENT = frozenset({0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x90, 0x99, 0x9A, 0x9B})
"""CONNACK codes that mean the same next time, until a person changes something (source: MQTT 5, 3.2.2.2)."""


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]  # paho leaves it untyped


@lru_cache(maxsize=256)
def _publish_properties(content_type: str, expiry_s: int | None) -> tuple[Properties, int]:
    """Return the properties and their encoded size in bytes. Shared between messages, never changed."""
    properties = _properties(PacketTypes.PUBLISH)
    if content_type:
        properties.ContentType = content_type
    if expiry_s is not None:
        properties.MessageExpiryInterval = expiry_s
    return properties, packed_once(properties)


class Link:
    """One connection to the broker, from dialling to its end. `turn` belongs to one thread, `publish` to any."""

    def __init__(
        self,
        client: str,
        broker: Broker,
        will: tuple[str, bytes],
        *,
        tls: ssl.SSLContext | None,
        clock: Clock,
        wake: Wake,
        stopping: Callable[[], bool],
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._wake = wake
        self._happened: deque[Happened] = deque()
        self._count = threading.Lock()
        self._in_flight = 0
        self._most_in_flight = broker.in_flight
        self._packet_limit_bytes = PUBLISH_LIMIT_BYTES
        self._over = False
        self._reading = False
        paho = Client(CallbackAPIVersion.VERSION2, client, protocol=mqtt.MQTTv5, reconnect_on_failure=False)
        paho.open_socket = lambda: dial(
            broker.host, broker.port, tls, timeout_s=broker.connect_timeout_s, wake=wake, stopping=stopping
        )
        paho.max_inflight_messages_set(0)  # ours is the only limit: paho must never hold a message back
        paho.username = broker.username
        paho.password = broker.password
        paho.will_set(will[0], will[1], qos=1, retain=True, properties=_will_properties())
        paho.on_connect = self._on_connect
        paho.on_disconnect = self._on_disconnect
        paho.on_publish = self._on_publish
        paho.on_subscribe = self._on_subscribe
        paho.on_message = self._on_message
        paho.received = self._received
        # With this set, paho leaves the writing to whoever turns the loop.
        paho.on_socket_register_write = _leave
        self._paho = paho

    def open(self) -> None:
        """Dial and queue CONNECT. Raises OSError, ssl.SSLError; Interrupted when the session is stopped meanwhile."""
        properties = _properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0
        properties.MaximumPacketSize = RECEIVE_LIMIT_BYTES
        self._paho.connect(
            self._broker.host,
            self._broker.port,
            keepalive=self._broker.keepalive_s,
            clean_start=True,
            properties=properties,
        )

    def turn(self, timeout_s: float) -> list[Happened]:
        """Wait for the socket, a wake or the time; read and write what is there; return what happened, in order."""
        sock = self._paho.socket()
        if sock is None:
            self._close("the connection was closed", by_peer=True)
        else:
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            poll.register(sock.fileno(), select.POLLIN | (select.POLLOUT if self._paho.want_write() else 0))
            ready = dict(poll.poll(timeout_s * 1000))
            if self._wake.fileno() in ready:
                self._wake.drain()
            if ready.get(sock.fileno(), 0) & ~select.POLLOUT:
                self._reading = True
                self._paho.loop_read()
                while self._paho.socket() is not None and getattr(sock, "pending", int)():
                    self._paho.loop_read()  # TLS holds bytes that poll does not see
                self._reading = False
            if self._paho.want_write():
                self._paho.loop_write()
            self._paho.loop_misc()
        happened = list(self._happened)
        self._happened.clear()
        return happened

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        expiry_s: int | None = None,
        content_type: str = CONTENT_TYPE,
    ) -> int | None:
        """Hand a message to paho and return its mid; None when too many are in flight or the connection is over."""
        properties, _ = _publish_properties(content_type, expiry_s)
        with self._count:
            if self._over or self._in_flight >= self._most_in_flight:
                return None
            self._in_flight += 1
        try:
            info = self._paho.publish(topic, payload, qos, retain, properties)
        except ValueError as error:
            self._not_in_flight()
            raise SessionError(f"publish to {topic[:80]!a}: {error}") from error
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._not_in_flight()
            return None
        self._wake.wake()
        return info.mid

    def packet_bytes(self, topic: str, payload: bytes, expiry_s: int | None, content_type: str) -> int:
        """Return how large a QoS 1 PUBLISH packet would be, in bytes (source: MQTT 5, 3.3)."""
        _, properties = _publish_properties(content_type, expiry_s)
        remaining = 2 + len(topic.encode()) + 2 + properties + len(payload)
        return 1 + max(1, -(-remaining.bit_length() // 7)) + remaining

    @property
    def packet_limit_bytes(self) -> int:
        """The largest packet that the broker takes."""
        return self._packet_limit_bytes

    def room(self) -> int:
        """Return how many more messages may be handed over now."""
        with self._count:
            return 0 if self._over else self._most_in_flight - self._in_flight

    def subscribe(self, filters: Sequence[tuple[str, int]], *, probe: bool = False) -> int | None:
        """Queue a SUBSCRIBE and return its mid. probe: retained messages are not sent again for it."""
        handling = SubscribeOptions.RETAIN_DO_NOT_SEND if probe else SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
        options = [(name, SubscribeOptions(qos=qos, retainHandling=handling)) for name, qos in filters]
        code, mid = self._paho.subscribe(options)
        return mid if code == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def leave(self) -> None:
        """Queue DISCONNECT: the broker forgets the will."""
        self._paho.disconnect()

    def close(self) -> None:
        """Drop the connection without a word; unless `leave` came first, the broker then publishes the will."""
        self._close("closed", by_peer=False)
        sock = self._paho.socket()
        if sock is not None:
            sock.close()

    def _not_in_flight(self) -> None:
        with self._count:
            self._in_flight -= 1

    def _close(self, reason: str, *, by_peer: bool) -> None:
        with self._count:
            if self._over:
                return
            self._over = True
        self._happened.append(Closed(reason, by_peer))

    # paho's callbacks, on the thread that turns. They note and return; what they raise would end paho's loop.

    def _on_connect(self, _c: Any, _u: Any, _f: Any, reason: ReasonCode, properties: Properties | None) -> None:
        self._packet_limit_bytes = getattr(properties, "MaximumPacketSize", PUBLISH_LIMIT_BYTES)
        most = min(self._broker.in_flight, getattr(properties, "ReceiveMaximum", 65535))
        self._most_in_flight = most
        theirs_s = getattr(properties, "ServerKeepAlive", 0)
        self._happened.append(Greeted(reason.value, str(reason), self._packet_limit_bytes, most, theirs_s))

    def _on_disconnect(self, _c: Any, _u: Any, flags: Any, reason: ReasonCode, _p: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self._close(f"the broker ended the connection: {reason}", by_peer=True)
        elif reason.value == KEEPALIVE:
            self._close("the broker did not answer a ping", by_peer=False)
        else:
            self._close("the connection was lost", by_peer=True)

    def _on_publish(self, _c: Any, _u: Any, mid: int, reason: ReasonCode, _p: Any) -> None:
        self._not_in_flight()
        self._happened.append(Acknowledged(mid, reason.value, answered=self._reading))

    def _on_subscribe(self, _c: Any, _u: Any, mid: int, reasons: list[ReasonCode], _p: Any) -> None:
        self._happened.append(Subscribed(mid, tuple(reason.value for reason in reasons)))

    def _on_message(self, _c: Any, _u: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            LOG.warning("a message with a topic that is no UTF-8 was ignored")
            return
        expiry_s = getattr(message.properties, "MessageExpiryInterval", None)
        self._received(topic, bytes(message.payload), bool(message.retain), expiry_s)

    def _received(self, topic: str, payload: bytes, retained: bool, expiry_s: int | None) -> None:
        self._happened.append(Received(topic, payload, retained, self._clock.now().mono_ns, expiry_s))


def _leave(_client: Any, _userdata: Any, _sock: Any) -> None:
    """Do nothing: `publish` wakes the thread that writes."""


def _will_properties() -> Properties:
    properties = _properties(PacketTypes.WILLMESSAGE)
    properties.ContentType = CONTENT_TYPE
    return properties


def said(code: int, *, subscription: bool = False) -> str:
    """Return MQTT's name for a reason code of a PUBACK or SUBACK, with its number."""
    packet = PacketTypes.SUBACK if subscription else PacketTypes.PUBACK
    reason = reason_of(packet, code)
    return f"reason code 0x{code:02X}" if reason is None else f"{reason} (0x{code:02X})"
