"""Walk over MessagePack without building anything, so that a lie about a length costs nothing.

The library that decodes allocates what a header announces, and nests a thousand levels deep: a message of a few
kilobytes could so ask for gigabytes. This walk sees every header first (source of the format: msgpack/spec.md).
"""

from __future__ import annotations

from platefleet.protocol.errors import Oversized, ProtocolError

DEPTH = 12
"""Levels of arrays and maps. Our deepest message (an ack's `answer`) has six; the rest is room for later fields."""
ELEMENTS = 32_768
"""Values in one message. The most that is ever said, an answer with 4096 ranges beside an ack of 1024 and as many
clashes, are some 22,000."""

_LENGTH_BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}
"""bin 8 16 32, str 8 16 32, array 16 32, map 16 32: how many bytes tell their length."""
# fmt: off
_SCALAR_BYTES = {
    0xC0: 0, 0xC2: 0, 0xC3: 0,
    0xCA: 4, 0xCB: 8,
    0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8,
    0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
}
# fmt: on
"""nil, false, true; float 32 64; uint 8 16 32 64; int 8 16 32 64: how many bytes follow. What is missing in both
tables, 0xc1 and the extension types, is used by no message."""


def _fixed(tag: int) -> tuple[int, int]:
    """Return how long a value is by its first byte alone and how many values lie inside; length 0: not known by it."""
    if tag <= 0x7F or tag >= 0xE0:
        return 1, 0
    if tag <= 0x8F:
        return 1, 2 * (tag & 0x0F)
    if tag <= 0x9F:
        return 1, tag & 0x0F
    if tag <= 0xBF:
        return 1 + (tag & 0x1F), 0
    return (1 + _SCALAR_BYTES[tag], 0) if tag in _SCALAR_BYTES else (0, 0)


_FIXED = tuple(_fixed(tag) for tag in range(256))
_LENGTHS = tuple(length for length, _ in _FIXED)
_INSIDES = tuple(inside for _, inside in _FIXED)


def check(data: bytes) -> None:
    """Return if `data` is one whole MessagePack value within the limits, without extension types and without a rest.

    Raises Oversized for too much nesting or too many values, ProtocolError for anything else. Time is linear in what is
    really there, memory in the nesting. It is run for every message, three times for a live one: the loop has no call
    and no lookup of a global name for what messages are made of.
    """
    size = len(data)
    lengths, insides = _LENGTHS, _INSIDES
    position, elements, left = 0, 1, 1
    outer: list[int] = []
    while True:
        while not left:
            if not outer:
                if position != size:
                    raise ProtocolError(f"{size - position} bytes follow the message")
                return
            left = outer.pop()
        left -= 1
        if position >= size:
            raise ProtocolError(f"the message ends after {size} bytes in the middle of a value")
        tag = data[position]
        length = lengths[tag]
        if length:
            inside = insides[tag]
        else:
            length, inside = _announced(data, position)
        position += length
        if position > size or inside > size - position:
            raise ProtocolError(f"a value that ends the message's {size} bytes is longer than what is there")
        if inside:
            elements += inside
            if elements > ELEMENTS:
                raise Oversized(f"a message of more than {ELEMENTS} values")
            outer.append(left)
            if len(outer) > DEPTH:
                raise Oversized(f"a message nested deeper than {DEPTH} levels")
            left = inside


def _announced(data: bytes, position: int) -> tuple[int, int]:
    """Return the same for a value whose length stands behind its first byte."""
    tag = data[position]
    width = _LENGTH_BYTES.get(tag)
    if width is None:
        raise ProtocolError(f"byte {position} is 0x{tag:02x}, a MessagePack type that no message uses")
    start = position + 1
    told = data[start : start + width]
    if len(told) < width:
        raise ProtocolError(f"the message ends after {len(data)} bytes in the middle of a value")
    number = int.from_bytes(told, "big")
    if tag <= 0xDB:
        return 1 + width + number, 0
    return 1 + width, number if tag <= 0xDD else 2 * number
