"""Which live copies wait to be sent: bounded, first told first sent, one a record."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from platefleet.protocol.delivery.effects import Entry, Key, Limits, SendLive


@dataclass
class Live:
    """Live copies that wait. late: grew older than the limit here. displaced: gave way to newer ones."""

    limits: Limits
    late: int = 0
    displaced: int = 0
    _waiting: dict[Key, SendLive] = field(default_factory=dict)

    def tell(self, entry: Entry, seen_ns: int) -> None:
        """Take a record; the same one again only renews when its vehicle was last seen."""
        waiting = self._waiting.get(entry.key)
        if waiting is not None:
            seen_ns = max(seen_ns, waiting.seen_mono_ns)
        elif len(self._waiting) >= self.limits.live_waiting_most:
            del self._waiting[next(iter(self._waiting))]
            self.displaced += 1
        self._waiting[entry.key] = SendLive(entry, seen_ns)

    def next(self, now_ns: int, in_flight: Container[Key]) -> SendLive | None:
        """Return the first that is young enough and has no copy of itself in flight."""
        for key in [
            key for key, live in self._waiting.items() if now_ns - live.seen_mono_ns > self.limits.live_limit_ns
        ]:
            del self._waiting[key]
            self.late += 1
        return next((live for key, live in self._waiting.items() if key not in in_flight), None)

    def drop(self, key: Key) -> None:
        """Forget it: it was sent, or need not be."""
        self._waiting.pop(key, None)
