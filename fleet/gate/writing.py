"""The journal's writing side: what cannot be written now is owed, in its order, and written when it can be."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping

from platefleet.fleet.gate.facts import LaneState
from platefleet.fleet.gate.hearing import Key
from platefleet.fleet.gate.journal import Journal
from platefleet.fleet.gate.replay import Entry, kept
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.errors import GateError

LOG = logging.getLogger(__name__)
OWED_MOST = 256
"""Entries of what a person opened and of what had begun to move when the disk refused; the oldest gives way."""
OWED_AGAIN_NS = 2 * SECOND_NS


class Writing:
    """Owned by the gate's loop. problem: what is wrong with the journal, empty if nothing."""

    def __init__(self, journal: Journal, clock: Clock, counts: Counter[str], sound: Callable[[str], None]) -> None:
        """sound: called with each new problem while it is written."""
        self.problem = journal.damage
        self._journal = journal
        self._clock = clock
        self._counts = counts
        self._sound = sound
        self._owed: deque[Entry] = deque()
        self._again_at_ns = 0

    def append(self, entry: Entry) -> bool:
        """Make an entry durable, after those that are owed; return whether it is."""
        try:
            self._pay()
            self._journal.append(entry)
        except GateError as error:
            self._failed(error)
            return False
        self.problem = self._journal.damage
        return True

    def owe(self, entry: Entry) -> None:
        """Write an entry when it can be."""
        if len(self._owed) >= OWED_MOST:
            self._owed.popleft()
            self._counts["entries lost"] += 1
        self._owed.append(entry)

    def again(self) -> None:
        """Try to write what is owed, every two seconds."""
        if not self._owed or self._clock.now().mono_ns < self._again_at_ns:
            return
        try:
            self._pay()
        except GateError as error:
            self._failed(error)
        else:
            self.problem = self._journal.damage

    def shorten(self, lanes: Mapping[Key, LaneState], told: int) -> None:
        """Write the journal anew where it has become long. told: the number up to which the outbox knows it."""
        if not self._journal.long:
            return
        try:
            self._journal.compact(kept(self._journal.entries, lanes, self._clock.now().mono_ns, told))
        except GateError as error:
            self._failed(error)

    def _pay(self) -> None:
        while self._owed:
            self._journal.append(self._owed[0])
            self._owed.popleft()

    def _failed(self, error: GateError) -> None:
        self._counts["journal failed"] += 1
        self._again_at_ns = self._clock.now().mono_ns + OWED_AGAIN_NS
        if self.problem != str(error):
            LOG.error("%s", error)
            self._sound(str(error))
        self.problem = str(error)
