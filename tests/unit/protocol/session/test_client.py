"""What is received is taken apart as paho takes it apart, or left to paho."""

from __future__ import annotations

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt._packet import decode_puback, decode_publish
from paho.mqtt.client import MalformedPacket
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from platefleet.protocol.session.client import AT_LEAST_ONCE, QOS, Client, answer_of, packed_once, take_apart
from platefleet.protocol.session.link import said

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


@given(st.integers(0, 255))
def test_an_answer_to_a_publish_says_what_paho_would_say_or_is_left_to_paho(code: int) -> None:
    answer = answer_of(code)
    if answer is not None:
        theirs = decode_puback(0x40, bytes([0x12, 0x34, code]), V5)
        assert (answer[0], answer[1].pack()) == (theirs.reason, theirs.properties.pack())


@pytest.mark.parametrize("code", [0x00, 0x10, 0x80, 0x87, 0x97])
def test_the_usual_answers_are_read_here(code: int) -> None:
    answer = answer_of(code)
    assert answer is not None
    assert answer[0].value == code


@pytest.mark.parametrize("code", [0x01, 0x82, 0xFF])
def test_an_answer_that_there_is_not_is_left_to_paho_and_can_still_be_told(code: int) -> None:
    assert answer_of(code) is None
    assert said(code) == f"reason code 0x{code:02X}"


def heard_of(client: Client | mqtt.Client, mid: int, packet: bytes) -> list[tuple[int, ReasonCode, bytes]] | None:
    """Return what a client says of the message `mid` when a PUBACK comes; None: it was malformed."""
    said: list[tuple[int, ReasonCode, bytes]] = []
    client.on_publish = lambda _c, _u, mid, reason, properties: said.append((mid, reason, properties.pack()))
    client._out_messages[mid] = mqtt.MQTTMessage(mid)
    client._in_packet = {**client._in_packet, "command": 0x40, "packet": bytearray(packet)}
    try:
        client._handle_pubackcomp("PUBACK")
    except MalformedPacket:
        return None
    return said


@given(st.sampled_from([0x1234, 1]), st.binary(max_size=4) | st.binary(max_size=6).map(lambda more: b"\x124" + more))
def test_a_client_hears_of_its_message_what_pahos_own_would_hear(mid: int, packet: bytes) -> None:
    ours, theirs = (
        kind(mqtt.CallbackAPIVersion.VERSION2, "north-1", protocol=mqtt.MQTTv5) for kind in (Client, mqtt.Client)
    )
    try:
        expected = heard_of(theirs, mid, packet)
    except (KeyError, ValueError, AssertionError) as error:
        with pytest.raises(type(error)):
            heard_of(ours, mid, packet)
    else:
        assert heard_of(ours, mid, packet) == expected


def test_properties_that_are_packed_once_stay_as_they_were_packed() -> None:
    told = Properties(PacketTypes.PUBLISH)
    told.ContentType, told.MessageExpiryInterval = "application/msgpack", 10
    body = told.pack()
    assert packed_once(told) == len(body)
    assert told.pack() == body
