"""The bounded hand-off from the network thread to the one consumer."""

from __future__ import annotations

import threading
from collections import Counter, deque

from platefleet.protocol.session.events import Event, Published, Received

PUBLISHED_MOST = 10_000
"""Beyond any number in flight: only a consumer that takes nothing at all lets so many pile up."""
OTHERS_MOST = 1_000
"""Connections that came and went, at the pace of the backoff, while nobody listened."""


class HandOff:
    """Events in order. Full of received messages, the oldest of those gives way, and is counted.

    Events of the session give way only to their own kind, and only where nobody takes any for hours. The network
    thread never waits here: a slow consumer must not look like a dead link.
    """

    def __init__(self, received_most: int) -> None:
        self._most: dict[type, int] = {Received: received_most, Published: PUBLISHED_MOST}
        self._events: deque[Event] = deque()
        self._counts: Counter[type] = Counter()
        self._dropped = 0
        self._poked = False
        self._some = threading.Condition()

    def put(self, event: Event) -> None:
        """Add an event. Never blocks."""
        kind = self._kind(event)
        with self._some:
            if self._counts[kind] >= self._most.get(kind, OTHERS_MOST):
                self._drop_oldest(kind)
            self._counts[kind] += 1
            self._events.append(event)
            self._some.notify()

    def get(self, timeout_s: float) -> Event | None:
        """Return the next event; None after `timeout_s`, or at once when poked."""
        with self._some:
            if not self._events and not self._poked:
                self._some.wait_for(lambda: bool(self._events) or self._poked, timeout_s)
            self._poked = False
            if not self._events:
                return None
            event = self._events.popleft()
            self._counts[self._kind(event)] -= 1
            return event

    def poke(self) -> None:
        """Make a waiting (or the next) `get` return without waiting."""
        with self._some:
            self._poked = True
            self._some.notify()

    @property
    def dropped(self) -> int:
        """Events that gave way."""
        return self._dropped

    def _kind(self, event: Event) -> type:
        return type(event) if type(event) in self._most else object

    def _drop_oldest(self, kind: type) -> None:
        at = next(at for at, event in enumerate(self._events) if self._kind(event) is kind)
        del self._events[at]
        self._counts[kind] -= 1
        self._dropped += 1
