"""The walk that comes before decoding: it takes what the library takes, within limits, and allocates nothing."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.protocol import shape
from platefleet.protocol.errors import Oversized, ProtocolError
from tests.wire_vectors import VALUES


@given(VALUES)
def test_whatever_the_library_writes_is_one_whole_value(value: Any) -> None:
    shape.check(msgpack.packb(value))


@given(VALUES, st.binary(min_size=1, max_size=4))
def test_nothing_may_follow(value: Any, rest: bytes) -> None:
    with pytest.raises(ProtocolError):
        shape.check(msgpack.packb(value) + rest)


@given(st.binary(max_size=64))
def test_bytes_that_pass_are_read_by_the_library_but_for_keys_and_text(data: bytes) -> None:
    try:
        shape.check(data)
    except ProtocolError:
        return
    unpacker = msgpack.Unpacker(raw=True, strict_map_key=False, object_pairs_hook=list)
    unpacker.feed(data)
    unpacker.skip()
    assert unpacker.tell() == len(data)


@pytest.mark.parametrize("header", [b"\xdd", b"\xdf", b"\xdb", b"\xc6"], ids=["array", "map", "text", "bytes"])
def test_a_length_of_four_billion_is_refused_at_once(header: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            shape.check(header + b"\xff\xff\xff\xff" + bytes(100))
        assert tracemalloc.get_traced_memory()[1] < 10_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("opening", [b"\x91", b"\xdc\x00\x01", b"\xdd\x00\x00\x00\x01", b"\x81\xa1a"])
def test_levels_are_counted_however_they_are_written(opening: bytes) -> None:
    shape.check(opening * shape.DEPTH + b"\xc0")
    for depth in (shape.DEPTH + 1, 10_000):
        with pytest.raises(Oversized):
            shape.check(opening * depth + b"\xc0")


def test_values_are_counted_empty_ones_too() -> None:
    most = shape.ELEMENTS - 1
    shape.check(b"\xdd" + most.to_bytes(4, "big") + b"\x90" * most)
    with pytest.raises(Oversized):
        shape.check(b"\xdd" + (most + 1).to_bytes(4, "big") + b"\x90" * (most + 1))


@pytest.mark.parametrize("tag", [0xC1, 0xC7, 0xC8, 0xC9, *range(0xD4, 0xD9)])
def test_types_that_no_message_uses_are_named(tag: int) -> None:
    with pytest.raises(ProtocolError, match=f"0x{tag:02x}"):
        shape.check(bytes([0x91, tag]) + bytes(20))
