"""Hostile bytes: whatever comes in, the answer is a valid message or one printable sentence, at a bounded price."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.protocol.codec import decode, encode
from platefleet.protocol.delivery.frame import open_body, thaw
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import Ack, Backfill, Health, LivePlate
from platefleet.protocol.messages.base import Message
from tests.wire_vectors import KINDS, VALUES, bytes_of, every_message, vectors

SEED = 20261123
MUTANTS_EACH = 60
KIND = st.sampled_from(list(KINDS.values()))


def hear(kind: type[Message], data: bytes) -> Message | None:
    """Decode; anything but a valid message or a ProtocolError with a harmless sentence fails the test."""
    try:
        message = decode(kind, data)
    except ProtocolError as error:
        assert_harmless(error)
        return None
    assert decode(kind, encode(message)) == message
    return message


def hear_frame(data: bytes) -> None:
    try:
        record = thaw(data)
    except ProtocolError as error:
        assert_harmless(error)
    else:
        assert record.frame == data


def assert_harmless(error: ProtocolError) -> None:
    assert str(error).isprintable()
    assert 5 < len(str(error)) < 600


@settings(max_examples=300)
@given(KIND, st.binary(max_size=300))
def test_any_bytes(kind: type[Message], data: bytes) -> None:
    hear(kind, data)


@settings(max_examples=300)
@given(KIND, VALUES)
def test_any_value(kind: type[Message], value: Any) -> None:
    hear(kind, msgpack.packb(value))


@settings(max_examples=400)
@given(st.sampled_from(every_message()), st.data())
def test_a_message_with_another_value_somewhere(vector: tuple[type[Message], str, bytes], data: st.DataObject) -> None:
    kind, _, good = vector
    body = msgpack.unpackb(good)
    inside = body
    while True:
        key = data.draw(st.sampled_from(list(inside) if isinstance(inside, dict) else range(len(inside))))
        if not isinstance(inside[key], dict | list) or not inside[key] or data.draw(st.booleans()):
            break
        inside = inside[key]
    inside[key] = data.draw(VALUES)
    hear(kind, msgpack.packb(body))


def mutants(good: bytes, seeded: random.Random) -> Iterator[bytes]:
    """Yield damaged copies: flipped bits, cuts, insertions, lies about lengths, nesting, repeated parts."""
    for _ in range(MUTANTS_EACH):
        at = seeded.randrange(len(good))
        kind = seeded.randrange(7)
        if kind == 0:
            yield good[:at] + bytes([good[at] ^ 1 << seeded.randrange(8)]) + good[at + 1 :]
        elif kind == 1:
            yield good[:at] + good[at + seeded.randint(1, 8) :]
        elif kind == 2:
            yield good[:at] + seeded.randbytes(seeded.randint(1, 8)) + good[at:]
        elif kind == 3:
            header = seeded.choice(b"\xc4\xc5\xc6\xd9\xda\xdb\xdc\xdd\xde\xdf\x8f\x9f\xbf")
            yield good[:at] + bytes([header]) + b"\xff" * seeded.randint(0, 4) + good[at + 1 :]
        elif kind == 4:
            yield good[:at] + seeded.choice([b"\x91", b"\x81\xa1a", b"\xdc\x00\x01"]) * 10_000 + good[at:]
        elif kind == 5:
            end = seeded.randint(at, len(good))
            yield good[:end] + good[at:end] + good[end:]
        else:
            other = seeded.randrange(len(good))
            yield good[:at] + good[other : other + 16] + good[at + 16 :]


@pytest.mark.parametrize(
    ("kind", "good"),
    [pytest.param(kind, data, id=f"{kind.__name__}, {name}") for kind, name, data in every_message()],
)
def test_damaged_messages(kind: type[Message], good: bytes) -> None:
    seeded = random.Random(f"{SEED} {kind.__name__}")
    for bad in mutants(good, seeded):
        hear(kind, bad)


@pytest.mark.parametrize("vector", vectors("records"), ids=lambda vector: vector["name"])
def test_damaged_frames(vector: dict[str, Any]) -> None:
    good = bytes.fromhex(vector["frame"])
    for bad in mutants(good, random.Random(f"{SEED} {vector['name']}")):
        hear_frame(bad)


@settings(max_examples=200)
@given(st.lists(VALUES, min_size=5, max_size=5) | st.binary(max_size=60).map(lambda b: [b[:16], 1, "plate", 0, b]))
def test_any_five_values_as_a_frame(parts: list[Any]) -> None:
    hear_frame(msgpack.packb(parts))


@pytest.mark.parametrize("vector", vectors("records"), ids=lambda vector: vector["name"])
def test_a_body_opens_or_is_refused_with_a_sentence(vector: dict[str, Any]) -> None:
    try:
        message = open_body(thaw(bytes.fromhex(vector["frame"])))
    except ProtocolError as error:
        assert_harmless(error)
        assert vector["name"] != "a plate event"
    else:
        assert encode(message).hex() == vector["body"]


ACK = b"\x83\xa7version\x01\xa5store\xa1s\xa1x"
COSTLY: dict[str, Callable[[int], bytes]] = {
    "empty maps": lambda n: ACK + b"\xdd" + n.to_bytes(4, "big") + b"\x80" * n,
    "maps of one": lambda n: ACK + b"\xdd" + n.to_bytes(4, "big") + b"\x81\xa1a\x01" * n,
    "one large map": lambda n: (
        ACK + b"\xdf" + n.to_bytes(4, "big") + b"".join(b"\xa3" + f"{i:03x}"[-3:].encode() + b"\xc0" for i in range(n))
    ),
    "arrays that announce what is not there": lambda n: ACK + (b"\xdd" + n.to_bytes(4, "big")) * 11 + bytes(n),
    "a text": lambda n: ACK + b"\xdb" + n.to_bytes(4, "big") + b"a" * n,
    "values that do not fit": lambda n: (
        b"\x83\xa7version\x01\xa5store\xa1s\xa7covered\xdd" + n.to_bytes(4, "big") + b"\xc0" * n
    ),
    "deep": lambda n: ACK + b"\x91" * n,
}
PER_BYTE = 200
"""An empty map is one byte here and 72 in Python; an entry of a map is five and some 500 at the peak. (What the
library that validates allocates outside Python is not seen here; 32,768 values bound it.)"""
FIXED = 64 * 1024


@pytest.mark.parametrize("name", COSTLY)
@pytest.mark.parametrize("size", [100, 3_000, 10_000, 30_000])
def test_the_memory_taken_is_a_multiple_of_the_bytes_that_came(name: str, size: int) -> None:
    data = COSTLY[name](size)
    hear(Ack, data)  # what is cached on the first use is no part of the price
    tracemalloc.start()
    try:
        with suppress(ProtocolError):
            decode(Ack, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < PER_BYTE * len(data) + FIXED


@pytest.mark.parametrize("kind", [LivePlate, Backfill, Health], ids=lambda kind: kind.__name__)
def test_what_is_too_long_is_not_even_looked_at(kind: type[Message]) -> None:
    data = bytes(8 * 1024 * 1024)
    tracemalloc.start()
    try:
        assert hear(kind, data) is None
        assert tracemalloc.get_traced_memory()[1] < FIXED
    finally:
        tracemalloc.stop()


def test_the_corpus_of_refusals_is_refused_as_any_other_kind_too() -> None:
    for vector in vectors("refused"):
        for kind in KINDS.values():
            hear(kind, bytes_of(vector))
