"""What a person is called for: a vehicle that may stand before a closed barrier, and a gate that may not act.

Each alarm is raised once. Those of the journal's entries are noted when they were delivered, so that one which a crash
cut off is raised by the next start. Delivery has a thread of its own and a bounded queue before it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from platefleet.fleet.gate.facts import Result
from platefleet.fleet.gate.replay import CRASHED
from platefleet.protocol.errors import GateError

LOG = logging.getLogger(__name__)
Kind = Literal["output failed", "crashed", "another machine", "journal"]
WAITING_MOST = 32
"""Alarms that wait for a slow receiver; the oldest gives way and is counted: whoever comes sees health."""
TRIES = 3
PAUSE_S = 10.0


@dataclass(frozen=True, slots=True)
class Alarm:
    """kind: for programs. problem: a sentence for people. number: the journal's entry that it is about, 0 if none."""

    kind: Kind
    problem: str
    gate: str
    device: str = ""
    lane: str = ""
    number: int = 0

    def fields(self) -> dict[str, str]:
        """Return what the receiver gets, by name."""
        return {
            "gate": self.gate,
            "kind": self.kind,
            "device": self.device,
            "lane": self.lane,
            "problem": self.problem,
        }


class Receiver(Protocol):
    """Whoever calls a person. Raises GateError if that cannot be said."""

    def send(self, fields: Mapping[str, str]) -> None:
        """Deliver one alarm."""
        ...


def alarm_of(result: Result) -> Alarm | None:
    """Return the alarm that a result is, if it is one."""
    said = result.decision
    if result.outcome != "failed":
        return None
    kind: Kind = "crashed" if said.reason == CRASHED else "output failed"
    where = f"lane {said.device}/{said.lane}"
    return Alarm(kind, f"{where}: {said.reason}", said.gate, said.device or "", said.lane, result.number)


class Alarms:
    """Delivers alarms, one after the other, from entering to leaving. problem: why the last could not be delivered."""

    def __init__(
        self, receiver: Receiver, delivered: Callable[[Alarm], None] = lambda _: None, pause_s: float = PAUSE_S
    ) -> None:
        """delivered: called in the thread of the alarms after each that the receiver took."""
        self._receiver = receiver
        self._delivered = delivered
        self._pause_s = pause_s
        self._waiting: deque[Alarm] = deque()
        self._some = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gate alarms", daemon=True)
        self.dropped = 0
        self.failed = 0
        self.problem = ""

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def sound(self, alarm: Alarm) -> None:
        """Queue an alarm. Never blocks."""
        with self._some:
            if len(self._waiting) >= WAITING_MOST:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(alarm)
            self._some.notify()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Deliver what waits, if it goes at once, and end."""
        self._stopping.set()
        with self._some:
            self._some.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._some:
                self._some.wait_for(lambda: bool(self._waiting) or self._stopping.is_set())
                if not self._waiting:
                    return
                alarm = self._waiting.popleft()
            if not self._tried(alarm) and self._stopping.is_set():
                return

    def _tried(self, alarm: Alarm) -> bool:
        for attempt in range(TRIES):
            if attempt and self._stopping.wait(self._pause_s):
                return False
            try:
                self._receiver.send(alarm.fields())
                self._delivered(alarm)
            except Exception as error:  # noqa: BLE001  # a fault of a receiver must not end the thread that calls people
                self.failed += 1
                why = str(error) if isinstance(error, GateError) else f"{type(error).__name__}: {error}"
                self.problem = f"an alarm could not be delivered ({alarm.problem}): {why}"
                LOG.error("%s", self.problem)
            else:
                self.problem = ""
                return True
        return False
