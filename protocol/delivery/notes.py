"""Notes: small named values that a program keeps beside its records, such as the passes that are open."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from platefleet.protocol.errors import OutboxError

Change = Mapping[str, bytes | None]
"""What to keep under each name; None: nothing any more."""
NO_NOTES: Change = MappingProxyType({})
NAME_LIMIT = 200
NOTE_LIMIT_BYTES = 64 * 1024
NOTES_MOST = 4096
NOTES_LIMIT_BYTES = 4 * 1024 * 1024
"""All of them together: they are held in memory, and a note is no place for what belongs into a record."""


class Notes:
    """All notes of an outbox, in memory."""

    def __init__(self, kept: Mapping[str, bytes] = MappingProxyType({})) -> None:
        """Begin with what was kept before; that is not judged again."""
        self._kept = dict(kept)
        self._bytes = sum(len(name) + len(value) for name, value in kept.items())

    def check(self, change: Change) -> None:
        """Raise OutboxError if `change` would be above a limit."""
        count, size = len(self._kept), self._bytes
        for name, value in change.items():
            if not name or len(name) > NAME_LIMIT:
                raise OutboxError(f"outbox: {name[:40]!a}… names no note; use 1 to {NAME_LIMIT} characters.")
            if value is not None and len(value) > NOTE_LIMIT_BYTES:
                raise OutboxError(f"outbox: note {name!a} has {len(value)} bytes; at most {NOTE_LIMIT_BYTES} are kept.")
            old = self._kept.get(name)
            count += (value is not None) - (old is not None)
            size += (0 if value is None else len(name) + len(value)) - (0 if old is None else len(name) + len(old))
        if count > NOTES_MOST or size > NOTES_LIMIT_BYTES:
            raise OutboxError(
                f"outbox: {count} notes of {size} bytes; at most {NOTES_MOST} of {NOTES_LIMIT_BYTES} bytes are kept, "
                "delete old ones."
            )

    def apply(self, change: Change) -> None:
        """Keep and forget what `change` says; it was checked."""
        for name, value in change.items():
            old = self._kept.pop(name, None)
            self._bytes -= 0 if old is None else len(name) + len(old)
            if value is not None:
                self._kept[name] = value
                self._bytes += len(name) + len(value)

    def kept(self, prefix: str = "") -> dict[str, bytes]:
        """Return those whose names begin with `prefix`, by name."""
        return {name: self._kept[name] for name in sorted(self._kept) if name.startswith(prefix)}
