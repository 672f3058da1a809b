"""A received message is taken apart as paho takes it apart, or left to paho."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt._packet import decode_publish
from paho.mqtt.client import MalformedPacket
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from platefleet.protocol.session.client import AT_LEAST_ONCE, QOS, take_apart

V5 = MQTTProtocolVersion.MQTTv5


def a_publish(topic: bytes, qos: int, expiry_s: int | None, payload: bytes, content_type: str = "") -> bytes:
    told = Properties(PacketTypes.PUBLISH)
    if expiry_s is not None:
        told.MessageExpiryInterval = expiry_s
    if content_type:
        told.ContentType = content_type
    return len(topic).to_bytes(2, "big") + topic + (b"\x12\x34" if qos else b"") + told.pack() + payload


@given(
    st.text(max_size=30),
    st.sampled_from([0, AT_LEAST_ONCE]),
    st.none() | st.integers(1, 2**32 - 1),
    st.binary(max_size=50),
    st.sampled_from(["", "application/msgpack", "x" * 200]),
)
def test_what_is_taken_apart_here_is_what_paho_would_say(
    topic: str, qos: int, expiry_s: int | None, payload: bytes, content_type: str
) -> None:
    packet = a_publish(topic.encode(), qos, expiry_s, payload, content_type)
    taken = take_apart(bytearray(packet), qos)
    if len(content_type) == 200:
        assert taken is None, "long properties are left to paho"
        return
    assert taken == (topic, 0x1234 if qos else None, expiry_s, payload)


@given(st.binary(max_size=40), st.sampled_from([0, AT_LEAST_ONCE, 4, QOS]))
def test_whatever_comes_it_agrees_with_paho_or_leaves_it_to_paho(packet: bytes, qos: int) -> None:
    taken = take_apart(bytearray(packet), qos)
    if taken is None:
        return
    theirs = decode_publish(0x30 | qos, packet, V5)
    topic, mid, expiry_s, payload = taken
    assert (topic.encode(), mid or 0, payload) == (theirs.topic, theirs.mid, theirs.payload)
    assert getattr(theirs.properties, "MessageExpiryInterval", None) == expiry_s


@pytest.mark.parametrize(
    "packet", [b"", b"\x00", b"\x00\x05abc", b"\x00\x01a\x00", b"\x00\x01a\x00\x01\x09ab", b"\x00\x01a\x00\x01\x02\x01"]
)
def test_a_packet_that_ends_too_early_is_left_to_paho_who_refuses_it(packet: bytes) -> None:
    assert take_apart(packet, AT_LEAST_ONCE) is None
    with pytest.raises(MalformedPacket):
        decode_publish(0x32, packet, V5)
