"""What the outbox is told of the journal: every intent and result once, in their order, with refusals between them.

The journal is written first. Each record goes into the outbox together with a note of the number up to which the
journal was told, in one transaction; so a start after a crash, wherever it fell, tells exactly the rest. What a person
opened while no controller ran is told in the same way.

An outbox that has lost its notes (its database was broken, or was in memory) is told again, word for word, what the
journal still holds: nothing is lost, and what the store had already can be known by its equal bytes.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping

from platefleet.fleet.gate.journal import Journal
from platefleet.protocol.delivery.port import Outbox
from platefleet.protocol.errors import OutboxError
from platefleet.protocol.messages import Decision

LOG = logging.getLogger(__name__)
TOLD = "gate: journal told"
AT_ONCE = 20
"""Entries told in one go: a start that has thousands to tell opens barriers meanwhile."""


class Telling:
    """The outbox's writing side. Owned by the gate's loop."""

    def __init__(
        self,
        outbox: Outbox,
        journal: Journal,
        *,
        counts: Counter[str],
        said: Callable[[Decision], None],
        noted: Callable[[Decision], Mapping[str, bytes | None]] = lambda _: {},
    ) -> None:
        """said: hears what is told of before this start. noted: returns what else has to be noted with a decision."""
        self._outbox = outbox
        self._journal = journal
        self._counts = counts
        self._said = said
        self._noted = noted
        self._before = journal.last
        self.told = told(outbox.kept(TOLD), TOLD, journal.name) or 0
        journal.number_after(self.told)

    def rest(self) -> None:
        """Tell the next entries that the journal has and the outbox does not."""
        if self._journal.last == self.told:
            return
        for entry in self._journal.after(self.told)[:AT_ONCE]:
            self._append(entry.decision, note(TOLD, self._journal.name, entry.number))
            self.told = entry.number
            if entry.number <= self._before:
                self._said(entry.decision)

    def refusal(self, decision: Decision) -> None:
        """Tell what moved nothing."""
        self._append(decision, {})

    def _append(self, decision: Decision, notes: Mapping[str, bytes]) -> None:
        try:
            self._outbox.append("decision", decision, keep={**self._noted(decision), **notes})
        except OutboxError as error:
            self._counts["decisions lost"] += 1
            LOG.error("a decision is not recorded: %s", error)


def note(name: str, journal: str, number: int) -> dict[str, bytes]:
    """Return a note of how far a journal was told.

    >>> note("told", "0f", 17)
    {'told': b'0f 17'}
    """
    return {name: f"{journal} {number}".encode("ascii")}


def told(notes: Mapping[str, bytes], name: str, journal: str) -> int | None:
    """Return the number that a note holds, None if it is missing or about another journal.

    >>> told({"told": b"0f 17"}, "told", "0f"), told({"told": b"0f 17"}, "told", "aa"), told({}, "told", "0f")
    (17, None, None)
    """
    said, _, number = notes.get(name, b"").partition(b" ")
    return int(number) if said == journal.encode("ascii") and number.isdigit() else None
