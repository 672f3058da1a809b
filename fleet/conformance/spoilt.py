"""Good bytes made wrong in one thing."""

from __future__ import annotations

import msgpack


def rotten(frame: bytes) -> bytes:
    """Return a record's frame with a checksum that is not its body's."""
    epoch, seq, kind, crc, body = msgpack.unpackb(frame)
    packed: bytes = msgpack.packb([epoch, seq, kind, crc ^ 1, body], use_bin_type=True)
    return packed


def versioned(data: bytes, version: int) -> bytes:
    """Return a message as another version of itself; version 1 is what it is."""
    if version == 1:
        return data
    packed: bytes = msgpack.packb({**msgpack.unpackb(data), "version": version}, use_bin_type=True)
    return packed
