"""One encoding for each message; any encoding of a message is taken, and nothing else."""

from __future__ import annotations

from itertools import permutations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from platefleet.protocol.codec import decode, encode
from platefleet.protocol.delivery.coverage import merge
from platefleet.protocol.errors import Oversized, ProtocolError, UnknownVersion
from platefleet.protocol.messages import Ack, Beat, Decision, EpochCoverage, Health, Heard, LivePlate, Stamp
from platefleet.protocol.messages.base import Message
from tests.record_builders import STAMP, a_decision, a_pass
from tests.wire_vectors import VALUES, every_message

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
MS = st.integers(0, 2**53 - 1)
HEARD = st.builds(Heard, n=st.integers(1, 2**53 - 1), held_ms=MS)
STAMPS = st.builds(
    Stamp,
    utc_ns=st.integers(0, 2**63 - 1),
    mono_ns=st.integers(0, 2**63 - 1),
    boot=st.text(max_size=64),
    clock=st.sampled_from(["synced", "assumed", "unsynced"]),
)
RANGES = st.lists(st.tuples(st.integers(1, 2**53 - 1), st.integers(1, 2**53 - 1)), max_size=5).map(merge)
EPOCHS = st.binary(min_size=16, max_size=16).map(bytes.hex)
MESSAGES: st.SearchStrategy[Message] = (
    st.builds(Beat, gate=NAMES, n=st.integers(1, 2**53 - 1))
    | st.builds(
        LivePlate,
        age_ms=MS,
        heard=st.dictionaries(NAMES, HEARD, max_size=5),
        record=st.binary(min_size=1, max_size=300),
    )
    | st.builds(Ack, store=NAMES, covered=st.lists(st.builds(EpochCoverage, epoch=EPOCHS, covered=RANGES)).map(tuple))
    | st.builds(
        Health,
        at=STAMPS,
        uptime_ms=MS,
        latency_ms=st.dictionaries(st.text(max_size=9), st.tuples(*[st.floats(0, 1e9)] * 3), max_size=4),
        temperature_c=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        counters=st.dictionaries(st.text(max_size=64), MS, max_size=4),
        problems=st.lists(st.text(max_size=512), max_size=3).map(tuple),
    )
)


@given(MESSAGES)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    data = encode(message)
    again = decode(type(message), data)
    assert again == message
    assert encode(again) == data


@given(st.dictionaries(NAMES, HEARD, min_size=2, max_size=4))
def test_equal_messages_have_equal_bytes(heard: dict[str, Heard]) -> None:
    orders = [dict(order) for order in permutations(heard.items())]
    assert len({encode(LivePlate(age_ms=1, heard=order, record=b"x")) for order in orders}) == 1


def test_a_field_that_is_none_is_left_out_and_an_empty_one_is_not() -> None:
    plain = msgpack.unpackb(encode(a_pass()))
    assert "unread" not in plain
    assert plain["characters"] == []


def test_fields_travel_under_their_wire_names_in_the_models_order() -> None:
    assert list(msgpack.unpackb(encode(a_pass())))[:4] == ["version", "pass", "revision", "final"]


def test_floats_travel_in_64_bits_and_moments_as_integers() -> None:
    plain = msgpack.unpackb(encode(a_pass()))
    assert plain["mean"] == a_pass().mean
    assert plain["captured"]["utc_ns"] == STAMP.utc_ns


@given(VALUES)
def test_unknown_fields_are_ignored_whatever_they_hold(value: object) -> None:
    beat = Beat(gate="gate-1", n=7)
    assert decode(Beat, msgpack.packb(beat.model_dump() | {"later": value})) == beat


@pytest.mark.parametrize("version", [0, 2, -1, 2**63])
def test_another_version_is_refused_before_anything_else_is_looked_at(version: int) -> None:
    with pytest.raises(UnknownVersion, match="update"):
        decode(Beat, msgpack.packb({"gate": ["no", "beat"], "version": version}))


def test_a_message_is_taken_up_to_its_limit_and_not_above() -> None:
    data = encode(Beat(gate="gate-1", n=7))
    assert decode(Beat, data, limit_bytes=len(data)).n == 7
    with pytest.raises(Oversized):
        decode(Beat, data, limit_bytes=len(data) - 1)


def test_a_message_that_nobody_would_take_is_not_encoded() -> None:
    ack = Ack(
        store="central",
        covered=tuple(EpochCoverage(epoch=f"{n:032x}", covered=((2**40, 2**50),) * 4000) for n in range(4)),
    )
    with pytest.raises(Oversized):
        encode(ack)


def test_text_that_is_not_unicode_never_gets_into_a_message() -> None:
    with pytest.raises(ValidationError):
        a_decision().model_validate(a_decision().model_dump(by_alias=True) | {"reason": "\udcff"})


def test_a_refusal_names_the_field_and_what_would_fit_and_not_what_came() -> None:
    body = a_decision().model_dump(by_alias=True, exclude_none=True) | {"verdict": "\x1b[2Jopen sesame", "took_ms": -5}
    with pytest.raises(ProtocolError) as caught:
        decode(Decision, msgpack.packb(body))
    sentence = str(caught.value)
    assert "verdict" in sentence
    assert "took_ms" in sentence
    assert "sesame" not in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize("key", ["\x1b[2J", "\u202e", "a" * 10_000, "\n" * 50])
def test_a_key_that_a_stranger_chose_is_told_escaped_and_short(key: str) -> None:
    body = {"version": 1, "age_ms": 0, "record": b"x", "heard": {key: {"n": 0, "held_ms": -1}}}
    with pytest.raises(ProtocolError) as caught:
        decode(LivePlate, msgpack.packb(body))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_thousands_of_problems_are_one_sentence() -> None:
    ranges = [[0, 0]] * 4000
    body = {"version": 1, "store": "central", "covered": [{"epoch": "0" * 32, "covered": ranges}]}
    with pytest.raises(ProtocolError, match="8000 values do not fit"):
        decode(Ack, msgpack.packb(body))


@pytest.mark.parametrize(
    ("kind", "data"),
    [pytest.param(kind, data, id=f"{kind.__name__}, {name}") for kind, name, data in every_message()],
)
def test_no_prefix_of_a_message_is_a_message(kind: type[Message], data: bytes) -> None:
    for length in range(0, len(data), max(1, len(data) // 100)):
        with pytest.raises(ProtocolError):
            decode(kind, data[:length])
