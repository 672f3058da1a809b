"""Walk over MessagePack without building anything, so that a lie about a length costs nothing.

The library that decodes allocates what a header announces, and nests a thousand levels deep; a message of a few bytes
could so ask for gigabytes. This walk sees every header first (source of the format: msgpack/spec.md).
"""

from __future__ import annotations

from platefleet.protocol.errors import Oversized, ProtocolError

DEPTH = 12
"""Levels of arrays and maps. Our deepest message (a backfill's `ask`) has five; the rest is room for later fields."""
ELEMENTS = 32_768
"""Values in one message: a full ack is 4096 ranges of three values each, and an answer a few of these."""

_FIXED = {
    0xC0: 0,
    0xC2: 0,
    0xC3: 0,
    0xCA: 4,
    0xCB: 8,
    0xCC: 1,
    0xCD: 2,
    0xCE: 4,
    0xCF: 8,
    0xD0: 1,
    0xD1: 2,
    0xD2: 4,
    0xD3: 8,
}
_SIZED = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_ARRAYS = {0xDC: 2, 0xDD: 4}
_MAPS = {0xDE: 2, 0xDF: 4}


def check(data: bytes) -> None:
    """Return if `data` is one whole MessagePack value within the limits, without extension types and without a rest.

    Raises Oversized for too much nesting or too many values, ProtocolError for anything else. Time is linear in what is
    really there, memory in the nesting.
    """
    size = len(data)
    position = 0
    elements = 0
    open_values = [1]
    while open_values:
        if not open_values[-1]:
            open_values.pop()
            continue
        open_values[-1] -= 1
        elements += 1
        if elements > ELEMENTS:
            raise Oversized(f"a message of more than {ELEMENTS} values")
        if position >= size:
            raise ProtocolError(f"the message ends after {size} bytes in the middle of a value")
        position, inside = _header(data, position)
        if position > size or inside > size - position:
            raise ProtocolError(f"a value at byte {position} is longer than the message")
        if inside:
            if len(open_values) > DEPTH:
                raise Oversized(f"a message nested deeper than {DEPTH} levels")
            open_values.append(inside)
    if position != size:
        raise ProtocolError(f"{size - position} bytes follow the message")


def _header(data: bytes, position: int) -> tuple[int, int]:
    """Return where the value at `position` ends and how many values lie inside it, which begin there."""
    tag = data[position]
    position += 1
    if tag <= 0x7F or tag >= 0xE0:
        return position, 0
    if tag <= 0x8F:
        return position, 2 * (tag & 0x0F)
    if tag <= 0x9F:
        return position, tag & 0x0F
    if tag <= 0xBF:
        return position + (tag & 0x1F), 0
    if tag in _FIXED:
        return position + _FIXED[tag], 0
    for table, is_content, times in ((_SIZED, True, 1), (_ARRAYS, False, 1), (_MAPS, False, 2)):
        if tag in table:
            width = table[tag]
            length = int.from_bytes(data[position : position + width], "big")
            position += width
            return (position + length, 0) if is_content else (position, times * length)
    raise ProtocolError(f"byte {position - 1} is 0x{tag:02x}, a MessagePack type that no message uses")
