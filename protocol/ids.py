"""A type for each id, with the pattern that keeps it harmless in topics, paths and terminals."""

from __future__ import annotations

import os
import uuid
from typing import Annotated

from pydantic import StringConstraints

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""No `/ + #`, no white space, no control characters: an id can stand in a topic, a file name and a terminal."""
UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"

DeviceId = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""A device or a gate controller: its MQTT client id, user name and certificate's common name."""
LaneId = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""One camera's view of one barrier, unique within its device."""
SlotId = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""One of the ingest workers that may run at once."""
StoreId = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""A store; made once with its database."""
PassId = Annotated[str, StringConstraints(pattern=UUID_PATTERN)]
"""UUIDv7 of a pass."""
CommandId = Annotated[str, StringConstraints(pattern=UUID_PATTERN)]
"""UUIDv7 of a command."""
Incarnation = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""Random per connection; stands in the birth and in the will."""
Epoch = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""Random per start of an outbox's writer."""
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256, lower-case hexadecimal."""


def new_epoch() -> str:
    """Return 128 random bits as 32 hexadecimal digits."""
    return os.urandom(16).hex()


new_incarnation = new_epoch


def uuid7(unix_ms: int, random: bytes) -> str:
    """Return a UUIDv7 as text (source: RFC 9562, section 5.7).

    unix_ms: UTC milliseconds, 0 ≤ unix_ms < 2**48. random: at least 10 bytes.

    >>> uuid7(0x0123456789AB, bytes(10))
    '01234567-89ab-7000-8000-000000000000'
    """
    value = (unix_ms & ((1 << 48) - 1)) << 80 | int.from_bytes(random[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
