"""The tries that run: told to stop, to stand still or to go on, as the desk has it; given up when they do not end."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from platefleet.agent.commands.attempt import Attempt
from platefleet.agent.commands.left import LeftBehind
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.commands.desk import Entry
from platefleet.protocol.commands.holds import Situation, paused

LEAVE_S = 30.0
"""So long a try may take to stop when it is told to; then its command has failed and its thread is left behind."""


@dataclass
class _Running:
    attempt: Attempt
    stopped_ns: int | None = None


class Tries:
    """Belongs to the commands' thread. still: whether heavy work stood still at the last look."""

    def __init__(self, left: LeftBehind) -> None:
        self._running: dict[str, _Running] = {}
        self._left = left
        self.still: frozenset[str] = frozenset()

    def __contains__(self, id_: str) -> bool:
        return id_ in self._running

    @property
    def threads(self) -> list[threading.Thread]:
        """The threads of those that run."""
        return [running.attempt.thread for running in self._running.values()]

    def start(self, id_: str, attempt: Attempt) -> None:
        """Let one begin."""
        self._running[id_] = _Running(attempt)
        attempt.start()

    def ended(self, id_: str) -> None:
        """Forget one."""
        self._running.pop(id_, None)

    def stop(self) -> None:
        """Tell all to stop."""
        for running in self._running.values():
            running.attempt.stop()

    def heavy(self, entries: Mapping[str, Entry]) -> bool:
        """Whether any heavy work runs."""
        return any(id_ in entries and entries[id_].terms.slot == "heavy" for id_ in self._running)

    def look(self, entries: Mapping[str, Entry], now: Situation) -> list[tuple[str, str]]:
        """Stop, pause and let go on; return those that are given up, with a sentence."""
        given_up = []
        still = set()
        for id_, running in list(self._running.items()):
            entry = entries.get(id_)
            if entry is None:
                continue
            if entry.life.stopping is None:
                stands = paused(entry.terms, now) and not entry.life.committed
                running.attempt.pause(paused=stands)
                still |= {id_} if stands else set()
                continue
            running.attempt.pause(paused=False)
            running.attempt.stop()
            running.stopped_ns = running.stopped_ns or now.now.mono_ns
            if now.now.mono_ns - running.stopped_ns > LEAVE_S * SECOND_NS:
                says = f"{entry.order.operation} did not stop within {LEAVE_S:.0f} s of being told to"
                self._left.add(id_, running.attempt.thread, entry.terms.slot, f"{says}; restart the agent")
                given_up.append((id_, says))
                del self._running[id_]
        self.still = frozenset(still)
        return given_up
