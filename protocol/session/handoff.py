"""The bounded hand-off from the network thread to the one consumer."""

from __future__ import annotations

import threading
from collections import deque

from platefleet.protocol.session.events import Event, Received


class HandOff:
    """Events in order. Full means full of received messages: the oldest of those gives way, and is counted.

    Events of the session itself are never dropped; their number is bounded by what is in flight and by the pace of
    reconnecting. The network thread never waits here: a slow consumer must not look like a dead link.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._events: deque[Event] = deque()
        self._received = 0
        self._dropped = 0
        self._poked = False
        self._some = threading.Condition()

    def put(self, event: Event) -> None:
        """Add an event. Never blocks."""
        with self._some:
            if isinstance(event, Received):
                if self._received >= self._most:
                    self._drop_oldest()
                self._received += 1
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
            if isinstance(event, Received):
                self._received -= 1
            return event

    def poke(self) -> None:
        """Make a waiting (or the next) `get` return without waiting."""
        with self._some:
            self._poked = True
            self._some.notify()

    @property
    def dropped(self) -> int:
        """Received messages that gave way."""
        return self._dropped

    def _drop_oldest(self) -> None:
        kept: list[Event] = []
        while self._events:
            event = self._events.popleft()
            if isinstance(event, Received):
                self._received -= 1
                self._dropped += 1
                break
            kept.append(event)
        self._events.extendleft(reversed(kept))
