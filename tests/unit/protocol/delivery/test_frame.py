"""A frame has one encoding, so a record's digest says all that can be told apart."""

from __future__ import annotations

import hashlib
import zlib

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.frame import (
    BODIES,
    BODY_LIMIT_BYTES,
    FRAME_LIMIT_BYTES,
    TYPES,
    Record,
    freeze,
    open_body,
    thaw,
)
from platefleet.protocol.errors import Oversized, ProtocolError
from platefleet.protocol.messages import Message
from tests.record_builders import a_crop, a_decision, a_pass, an_epoch, an_opening

EPOCH = an_epoch()
RECORDS = st.builds(
    freeze,
    st.binary(min_size=16, max_size=16).map(bytes.hex),
    st.integers(1, 2**53 - 1),
    st.sampled_from(TYPES),
    st.binary(max_size=200),
)


def packed(*parts: object) -> bytes:
    data: bytes = msgpack.packb(parts)
    return data


@given(RECORDS)
def test_a_record_comes_back_from_its_frame(record: Record) -> None:
    assert thaw(record.frame) == record


@given(
    st.sampled_from([1, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53 - 1]),
    st.sampled_from([*TYPES, "hologram", "plates"]),
    st.sampled_from([0, 1, 255, 256, 65_535, 65_536]),
    st.binary(max_size=8),
)
def test_a_record_comes_back_whatever_the_width_of_its_numbers(seq: int, kind: str, size: int, salt: bytes) -> None:
    record = freeze(EPOCH, seq, kind, salt + bytes(size))
    assert thaw(record.frame) == record


HEADS = st.tuples(
    st.sampled_from([b"\x95", b"\x94", b"\xdc\x00\x05"]),
    st.just(b"\xc4\x10" + bytes(16)),
    st.sampled_from(
        [b"\x00", b"\x01", b"\xcc\x01", b"\xcc\xff", b"\xcd\x00\xff", b"\xcd\x01\x00", b"\xce\x00\x00\xff\xff"]
    ),
    st.sampled_from(
        [b"\xa5plate", b"\xa5crops", b"\xa5status", b"\xa6plates", b"\xa5plateplate", b"\xa8decision", b"\xa6status"]
    ),
    st.sampled_from([b"\xce" + zlib.crc32(b"xy").to_bytes(4, "big"), b"\xce" + bytes(4), b"\xcf" + bytes(8)]),
    st.sampled_from([b"\xc4\x02", b"\xc5\x00\x02", b"\xc6\x00\x00\x00\x02", b"\xc4\x03"]),
    st.sampled_from([b"xy", b"xyz", b"x"]),
)


@given(HEADS.map(b"".join))
def test_what_is_taken_is_what_freeze_writes_byte_by_byte(frame: bytes) -> None:
    try:
        record = thaw(frame)
    except ProtocolError:
        return
    assert freeze(record.epoch, record.seq, record.type, record.body) == record


@given(RECORDS)
def test_a_digest_is_the_frames_sha256(record: Record) -> None:
    assert record.digest == hashlib.sha256(record.frame).digest()


@given(RECORDS, st.data())
def test_a_frame_with_one_bit_changed_is_refused_or_another_record(record: Record, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(record.frame) * 8 - 1))
    changed = bytearray(record.frame)
    changed[at // 8] ^= 1 << at % 8
    try:
        other = thaw(bytes(changed))
    except ProtocolError:
        return
    assert other.body == record.body
    assert other.digest != record.digest


@pytest.mark.parametrize("body", [a_pass(), a_crop(), a_decision(), an_opening()], ids=lambda body: type(body).__name__)
def test_a_body_is_opened_by_its_type(body: Message) -> None:
    kind = next(name for name, model in BODIES.items() if isinstance(body, model))
    assert open_body(freeze(EPOCH, 1, kind, encode(body))) == body


@pytest.mark.parametrize("kind", ["receipt", "tomorrow"])
def test_a_type_that_only_later_versions_know_is_kept_and_not_opened(kind: str) -> None:
    record = thaw(freeze(EPOCH, 1, kind, b"anything").frame)
    with pytest.raises(ProtocolError, match=kind):
        open_body(record)


def test_the_largest_body_fits_into_the_largest_frame() -> None:
    record = freeze("f" * 32, 2**53 - 1, "t" * 32, bytes(BODY_LIMIT_BYTES))
    assert len(record.frame) <= FRAME_LIMIT_BYTES
    assert thaw(record.frame) == record
    with pytest.raises(Oversized):
        freeze(EPOCH, 1, "crops", bytes(BODY_LIMIT_BYTES + 1))
    with pytest.raises(Oversized):
        thaw(bytes(FRAME_LIMIT_BYTES + 1))


@pytest.mark.parametrize("seq", [0, -1, 2**53])
def test_seqs_count_from_one_as_far_as_javascript_can(seq: int) -> None:
    with pytest.raises(ProtocolError, match="seq"):
        freeze(EPOCH, seq, "plate", b"")


@pytest.mark.parametrize("epoch", ["", "0" * 31, "0" * 33, "0" * 30 + " 0", "A" * 32, "g" * 32, "\u0660" * 32])
def test_an_epoch_is_32_lower_case_hexadecimal_digits(epoch: str) -> None:
    with pytest.raises(ProtocolError, match="epoch"):
        freeze(epoch, 1, "plate", b"")


@pytest.mark.parametrize("kind", ["", "a b", "a/b", "\x1b[2J", "pl\u0430te", "1st", "t" * 33])
def test_a_type_is_one_plain_word(kind: str) -> None:
    with pytest.raises(ProtocolError, match="type") as caught:
        freeze(EPOCH, 1, kind, b"")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "frame",
    [
        packed(bytes(16), True, "plate", zlib.crc32(b"x"), b"x"),
        packed(bytes(16), 1.0, "plate", zlib.crc32(b"x"), b"x"),
        packed(bytes(15), 1, "plate", zlib.crc32(b"x"), b"x"),
        packed(EPOCH, 1, "plate", zlib.crc32(b"x"), b"x"),
        packed(bytes(16), 1, "plate", zlib.crc32(b"x"), "x"),
        packed(bytes(16), 1, b"plate", zlib.crc32(b"x"), b"x"),
        packed(bytes(16), 1, "plate", zlib.crc32(b"y"), b"x"),
        packed(bytes(16), 1, "plate", float(zlib.crc32(b"x")), b"x"),
        packed(bytes(16), 1, "plate", zlib.crc32(b"x")),
        packed(bytes(16), 1, "plate", zlib.crc32(b"x"), b"x", None),
        msgpack.packb({"epoch": bytes(16)}),
        freeze(EPOCH, 1, "plate", b"x").frame.replace(b"\x95", b"\xdc\x00\x05", 1),
        freeze(EPOCH, 1, "plate", b"x").frame.replace(b"\x01\xa5", b"\xd3" + bytes(7) + b"\x01\xa5", 1),
    ],
)
def test_what_freeze_would_not_have_written_is_refused(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        thaw(frame)


def test_a_record_in_a_log_names_itself_and_shows_no_plate() -> None:
    record = freeze(EPOCH, 7, "plate", encode(a_pass("B123ABC")))
    for said in (repr(record), str(record), f"{[record]}"):
        assert "B123ABC" not in said
        assert EPOCH in said
