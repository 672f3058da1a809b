"""Sessions for tests at a real broker: made, started, listened to, and stopped at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import pytest

from platefleet.protocol.clock import SystemClock
from platefleet.protocol.session import Broker, Event, Received, Session

E = TypeVar("E")
CLOCK = SystemClock()


class Listening:
    """A started session and every event that it gave so far."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.events: list[Event] = []

    def wait_for(self, kind: type[E], matching: Callable[[E], bool] = lambda _: True, timeout_s: float = 30.0) -> E:
        """Return the next event of this kind; what comes before it is only kept in `events`."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            event = self.session.next_event(left_s)
            if event is None:
                continue
            self.events.append(event)
            if isinstance(event, kind) and matching(event):
                return event
        raise AssertionError(f"no such {kind.__name__} within {timeout_s} s; {self.session.health()}; {self.events}")

    def received(self, topic: str, timeout_s: float = 30.0) -> Received:
        """Return the next message on `topic`."""
        return self.wait_for(Received, lambda received: received.topic == topic, timeout_s)

    def drain(self, for_s: float) -> list[Event]:
        """Return everything that comes within `for_s`: for what must not happen."""
        deadline = time.monotonic() + for_s
        seen: list[Event] = []
        while (left_s := deadline - time.monotonic()) > 0:
            event = self.session.next_event(left_s)
            if event is not None:
                seen.append(event)
        self.events += seen
        return seen


class Listen(Protocol):
    """Starts a session and listens to it."""

    def __call__(self, client: str, broker: Broker, *filters: str, **options: Any) -> Listening: ...


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Start sessions: `listen("north-1", mosquitto.broker, "some/+/filter")`; all are stopped at the end."""
    started: list[Session] = []

    def start(client: str, broker: Broker, *filters: str, **options: Any) -> Listening:
        wanted = [(each, 1) for each in filters]
        session = Session(client, broker, clock=CLOCK, subscriptions=wanted, **options)
        started.append(session)
        session.start()
        return Listening(session)

    yield start
    for session in started:
        session.stop()
