"""paho's client, on a socket that we open and with what it does for every received message made cheaper.

Beside `link` the only one that imports paho.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

Received = Callable[[str, bytes, bool, int | None], None]
"""Topic, payload, retained, and the seconds that are left of the message."""
QOS, AT_LEAST_ONCE, RETAIN = 0x06, 0x02, 0x01
"""In the first byte of a PUBLISH (source: MQTT 5, 3.3.1)."""
SHORT = 0x80
"""A length below it is told in one byte (source: MQTT 5, 1.5.5)."""
MID = 2
"""Bytes of a packet identifier."""


class Client(mqtt.Client):
    """A client whose socket comes from `open_socket`, so that a stop interrupts connecting; messages go to `received`.

    paho takes a message's properties apart through a table of names, copying the rest of the message at each step:
    40 to 60 µs for every one, here 2 to 5. Of properties there are few kinds, so each is looked at once, and so is each
    answer to what we published; whatever is unusual is left to paho.
    """

    open_socket: Callable[[], Any]
    received: Received

    def _create_socket(self) -> Any:
        return self.open_socket()

    def _handle_publish(self) -> MQTTErrorCode:
        first = self._in_packet["command"]
        taken = take_apart(self._in_packet["packet"], first & QOS)
        if taken is None:
            return super()._handle_publish()
        topic, mid, expiry_s, payload = taken
        self.received(topic, payload, bool(first & RETAIN), expiry_s)
        return MQTTErrorCode.MQTT_ERR_SUCCESS if mid is None else self._send_puback(mid)

    def _handle_pubackcomp(self, cmd: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        alone = cmd == "PUBACK" and len(packet) in {MID, MID + 1}  # without properties
        answer = answer_of(packet[MID] if len(packet) > MID else 0) if alone else None
        if answer is None:
            return super()._handle_pubackcomp(cmd)
        mid = int.from_bytes(packet[:MID], "big")
        with self._out_message_mutex:
            if mid in self._out_messages:
                return self._do_on_publish(mid, *answer)
        return MQTTErrorCode.MQTT_ERR_SUCCESS


def take_apart(packet: bytes | bytearray, qos: int) -> tuple[str, int | None, int | None, bytes] | None:
    """Return topic, packet identifier, expiry in seconds and payload of a usual PUBLISH; None for any other.

    packet: what follows the fixed header (source: MQTT 5, 3.3.2). qos: its bits in the first byte.
    """
    at = 2 + int.from_bytes(packet[:2], "big")
    behind = at + 2 if qos else at
    if qos > AT_LEAST_ONCE or behind >= len(packet) or packet[behind] >= SHORT:
        return None
    begin = behind + 1
    end = begin + packet[behind]
    if end > len(packet):
        return None
    try:
        topic = packet[2:at].decode()
        expiry_s = _expiry_s(bytes(packet[begin:end]))
    except Exception:  # noqa: BLE001 - malformed in some way: paho says in which
        return None
    mid = int.from_bytes(packet[at:behind], "big") if qos else None
    return topic, mid, expiry_s, bytes(packet[end:])


def packed_once(properties: Properties) -> int:
    """Pack properties that many messages share and nobody changes any more; return their encoded size in bytes."""
    body: bytes = properties.pack()  # type: ignore[no-untyped-call]  # paho leaves it untyped
    object.__setattr__(properties, "pack", lambda: body)
    return len(body)


@lru_cache(maxsize=512)
def answer_of(code: int) -> tuple[ReasonCode, Properties] | None:
    """Return what a PUBACK without properties says (source: MQTT 5, 3.4.2); None for a code that it cannot have."""
    reason = reason_of(PacketTypes.PUBACK, code)
    if reason is None:
        return None
    return reason, Properties(PacketTypes.PUBACK)  # type: ignore[no-untyped-call]  # paho leaves it untyped


def reason_of(packet: int, code: int) -> ReasonCode | None:
    """Return what a reason code means in a kind of packet; None for one that there is not, or not in this kind."""
    try:
        return ReasonCode(packet, identifier=code)
    except (KeyError, ValueError):
        return None


@lru_cache(maxsize=512)
def _expiry_s(properties: bytes) -> int | None:
    """Return what is left of a message by its properties, without their length. Raises whatever paho does."""
    told = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    told.unpack(bytes([len(properties)]) + properties)  # type: ignore[no-untyped-call]
    found: int | None = getattr(told, "MessageExpiryInterval", None)
    return found
