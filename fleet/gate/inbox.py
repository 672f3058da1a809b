"""What waits for the gate's loop: one bounded queue."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from platefleet.fleet.gate.facts import Moved
from platefleet.protocol.session import Event, Received


@dataclass(frozen=True, slots=True)
class Asked:
    """A person asks for an opening; `answered` gets the sentence that comes of it."""

    lane: str
    reason: str
    answered: Any


@dataclass(frozen=True, slots=True)
class AskedToHold:
    """A person wants a lane held open, or released if `for_s` is 0; `answered` as above."""

    lane: str
    reason: str
    for_s: int
    answered: Any


@dataclass(frozen=True, slots=True)
class AskedToForgive:
    """A person says that a plate is outside; `answered` as above."""

    plate: str
    answered: Any


@dataclass(frozen=True, slots=True)
class Relisted:
    """The allow-list has changed."""

    listing: Any


Wish = Asked | AskedToHold | AskedToForgive
Item = Event | Moved | Wish | Relisted


class Inbox:
    """Items in order. Full means full of messages: the oldest of them gives way, and is counted.

    A message that gives way comes again: a standing vehicle is announced every 2 s. Answers of outputs and people's
    wishes are never dropped; their number is bounded by the pulses and connections that there may be.
    """

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._messages: deque[tuple[int, Item]] = deque()
        self._others: deque[tuple[int, Item]] = deque()
        self._count = 0
        self._some = threading.Condition()
        self.dropped = 0

    def put(self, item: Item) -> None:
        """Add an item. Never blocks."""
        with self._some:
            self._count += 1
            if isinstance(item, Received):
                if len(self._messages) >= self._most:
                    self._messages.popleft()
                    self.dropped += 1
                self._messages.append((self._count, item))
            else:
                self._others.append((self._count, item))
            self._some.notify()

    def get(self, timeout_s: float) -> Item | None:
        """Return the oldest item, or None after `timeout_s`."""
        with self._some:
            if not self._some.wait_for(lambda: bool(self._messages or self._others), timeout_s):
                return None
            if not self._messages or (self._others and self._others[0][0] < self._messages[0][0]):
                return self._others.popleft()[1]
            return self._messages.popleft()[1]
