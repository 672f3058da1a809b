"""The record frame, frozen for ever: `[epoch, seq, type, crc32, body]` in MessagePack.

A store can keep, count and answer for frames whose bodies it cannot decode yet. There is one encoding of a frame, and
its SHA-256 is the record's digest, so two frames of one name are the same record exactly when their digests are equal.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

from platefleet.protocol.codec import decode, pack, unpack
from platefleet.protocol.errors import Oversized, ProtocolError
from platefleet.protocol.messages import CommandStatus, Crops, Decision, EpochOpening, Message, PlateEvent

BODY_LIMIT_BYTES = 128 * 1024
FRAME_LIMIT_BYTES = 132 * 1024
RecordType = Literal["epoch", "plate", "crops", "status", "decision"]
TYPES: tuple[str, ...] = get_args(RecordType)
BODIES: dict[str, type[Message]] = {
    "epoch": EpochOpening,
    "plate": PlateEvent,
    "crops": Crops,
    "decision": Decision,
    "status": CommandStatus,
}
"""What the body of each type is. A type that is missing here is kept, counted and covered, and cannot be opened yet."""
_LAST_SEQ = 2**53 - 1
_PARTS = (bytes, int, str, int, bytes)
_USUAL = re.compile(
    rb"\x95\xc4\x10(.{16})"
    rb"(?:([\x01-\x7f])|\xcc([\x80-\xff])|\xcd((?!\x00)..)|\xce((?!\x00\x00).{4}))"
    rb"(?=\xa5(?:epoch|plate|crops)\xce|\xa6status\xce|\xa8decision\xce).([a-z]+)\xce((?!\x00\x00).{4})"
    rb"(?:\xc4(.)|\xc5((?!\x00)..)|\xc6((?!\x00\x00).{4}))",
    re.DOTALL,
)
"""What stands before the body in nearly every frame, each number in its one encoding (source: msgpack/spec.md)."""


class Record(NamedTuple):
    """One durable thing that a device tells. epoch: 32 hexadecimal digits; seq: from 1; frame: its one encoding.

    A tuple: one is made for every append and every record of a backlog, and costs two thirds of a frozen dataclass.
    """

    epoch: str
    seq: int
    type: str
    body: bytes
    frame: bytes

    def __repr__(self) -> str:
        """Name it, without what it holds: a plate is nobody's business in a log."""
        return f"Record(epoch={self.epoch!r}, seq={self.seq}, type={self.type!r})"

    @property
    def key(self) -> tuple[str, int]:
        """(epoch, seq): its name within its device."""
        return self.epoch, self.seq

    @property
    def digest(self) -> bytes:
        """SHA-256 of the frame, 32 bytes."""
        return hashlib.sha256(self.frame).digest()


def freeze(epoch: str, seq: int, type: str, body: bytes) -> Record:  # noqa: A002  # the wire's word
    """Return the record of these parts. Raises Oversized above 128 KiB of body, ProtocolError for parts that are none.

    >>> freeze("00" * 16, 1, "plate", b"x").frame.hex()
    '95c4100000000000000000000000000000000001a5706c617465ce8cdc1683c40178'
    """
    name = _name(epoch)
    _check(seq, type, body)
    return Record(epoch, seq, type, body, pack([name, seq, type, zlib.crc32(body), body]))


@lru_cache(maxsize=256)
def _name(epoch: str) -> bytes:
    try:
        name = bytes.fromhex(epoch)
    except ValueError:
        name = b""
    if len(name) != 16 or epoch != name.hex():
        raise ProtocolError(f"{epoch[:40]!a} is no epoch: 32 lower-case hexadecimal digits")
    return name


def thaw(frame: bytes) -> Record:
    """Return the record that `frame` is. Raises ProtocolError for anything that `freeze` would not have written."""
    return _thaw_usual(frame) or _thaw(frame)


def _thaw_usual(frame: bytes) -> Record | None:
    """Return the same for a frame of a usual head that is in order, at a quarter of the cost; None for any other."""
    found = _USUAL.match(frame)
    if found is None:
        return None
    body = frame[found.end() :]
    epoch, one, two, four, eight, kind, crc, *lengths = found.groups()
    length = int.from_bytes(lengths[0] or lengths[1] or lengths[2], "big")
    if length != len(body) or length > BODY_LIMIT_BYTES or zlib.crc32(body) != int.from_bytes(crc, "big"):
        return None
    seq = int.from_bytes(one or two or four or eight, "big")
    return Record(epoch.hex(), seq, kind.decode(), body, frame)


def _thaw(frame: bytes) -> Record:
    if len(frame) > FRAME_LIMIT_BYTES:
        raise Oversized(f"a record's frame of {len(frame)} bytes; at most {FRAME_LIMIT_BYTES} are taken")
    parts = unpack(frame, "record")
    # Compared type by type: patterns of classes cost half of all that is done here, for every record of a backlog.
    if type(parts) is not tuple or tuple(map(type, parts)) != _PARTS or len(parts[0]) != 16:
        raise ProtocolError("record: the frame is not [epoch, seq, type, crc32, body]")
    epoch, seq, kind, crc, body = parts
    _check(seq, kind, body)
    record = Record(epoch.hex(), seq, kind, body, frame)
    if zlib.crc32(body) != crc:
        raise ProtocolError(f"record {record.epoch}/{seq}: the body's checksum is wrong; it was damaged on its way")
    # What stands before the body says whether this is the one encoding; packing the body again would say no more.
    head = _head(epoch, seq, kind, crc, len(body))
    if len(frame) != len(head) + len(body) or not frame.startswith(head):
        raise ProtocolError(f"record {record.epoch}/{seq}: the frame is not in its one encoding")
    return record


def _check(seq: int, type: str, body: bytes) -> None:  # noqa: A002  # the wire's word
    if len(body) > BODY_LIMIT_BYTES:
        raise Oversized(f"a record's body of {len(body)} bytes; at most {BODY_LIMIT_BYTES} are taken")
    if not 1 <= seq <= _LAST_SEQ:
        raise ProtocolError(f"a record's seq of {seq}; it counts from 1 to {_LAST_SEQ}")
    if type not in BODIES and not (type.isascii() and type.isidentifier() and len(type) <= 32):
        raise ProtocolError(f"{type[:40]!a} is no type of record: up to 32 letters")


def _head(epoch: bytes, seq: int, type: str, crc: int, body_bytes: int) -> bytes:  # noqa: A002  # the wire's word
    """Return a frame's one encoding up to its body (source: msgpack/spec.md; 0xc4 to 0xc6 begin binary data)."""
    width = 1 if body_bytes < 1 << 8 else 2 if body_bytes < 1 << 16 else 4
    lead = {1: b"\xc4", 2: b"\xc5", 4: b"\xc6"}[width]
    told = pack(seq) + pack(type) + pack(crc)
    return b"\x95\xc4\x10" + epoch + told + lead + body_bytes.to_bytes(width, "big")


def open_body(record: Record) -> Message:
    """Return the message in the record's body. Raises ProtocolError for a type or body that cannot be opened."""
    kind = BODIES.get(record.type)
    if kind is None:
        raise ProtocolError(
            f"record {record.epoch}/{record.seq}: type {record.type} is not known here; update this program"
        )
    return decode(kind, record.body)
