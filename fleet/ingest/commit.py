"""Commit, and go on when the store is away: what could not be committed stays in the inbox and is tried again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import islice

from platefleet.fleet.ingest.acks import Acks
from platefleet.fleet.ingest.counters import Counters
from platefleet.fleet.ingest.halving import halves, together, without_bodies
from platefleet.fleet.ingest.inbox import Inbox
from platefleet.fleet.store.errors import Unstorable
from platefleet.fleet.store.port import Batch, Committed, Store
from platefleet.protocol.backoff import Backoff
from platefleet.protocol.clock import MILLISECOND_NS, SECOND_NS, Clock
from platefleet.protocol.errors import StoreError
from platefleet.protocol.messages import Answer

LOG = logging.getLogger(__name__)

ANSWERS_A_TURN = 100
"""After a broker's restart every device asks at once; commits go on in between."""
CHECK_NS = 5 * SECOND_NS
"""A store with nothing to commit is looked at this often, so that `host` says the truth while no car comes."""


class Committer:
    """Moves the inbox into the store and what came of it into the acks. One thread.

    announce: called with whether commits succeed, when that changes.
    """

    def __init__(
        self,
        store: Store,
        inbox: Inbox,
        acks: Acks,
        counters: Counters,
        *,
        clock: Clock,
        announce: Callable[[bool], None],
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._acks = acks
        self._counters = counters
        self._clock = clock
        self._announce = announce
        self._backoff = Backoff(0.25, 5.0)
        self._retry_ns = 0
        self._looked_ns = clock.now().mono_ns
        self.trouble = ""
        """Why nothing is committed, one sentence; empty while commits succeed."""

    def turn(self) -> None:
        """Commit one transaction's worth and answer what was asked, unless the store is away and left in peace."""
        now_ns = self._clock.now().mono_ns
        if now_ns < self._retry_ns:
            return
        if not self._inbox and not self._inbox.questions and now_ns - self._looked_ns < CHECK_NS and not self.trouble:
            return
        try:
            batch = self._inbox.batch()
            if batch:
                self._committed(batch, self._commit(batch))
            elif not self._inbox.questions:
                self._store.check()
            self._answer()
        except StoreError as error:
            self._away(str(error))
            return
        self._looked_ns = self._clock.now().mono_ns
        self._back()

    def wait_ns(self) -> int:
        """Return how long nothing can be done here: nanoseconds, 0 or more."""
        return max(0, self._retry_ns - self._clock.now().mono_ns)

    def _commit(self, batch: Batch) -> Committed:
        began_ns = self._clock.now().mono_ns
        try:
            committed = self._store.commit(batch)
        except Unstorable as error:
            LOG.error("%s", error)
            committed = self._in_halves(batch)
        took_ms = (self._clock.now().mono_ns - began_ns) / MILLISECOND_NS
        self._counters.commit_ms_most = max(self._counters.commit_ms_most, took_ms)
        return committed

    def _in_halves(self, batch: Batch) -> Committed:
        """Commit a batch that the database refused as a whole: one record that it cannot hold harms no other."""
        if len(batch.arrivals) + len(batch.gone) == 1:
            return self._quarantined(batch)
        parts = [self._half(half) for half in halves(batch)]
        for part in parts:
            self._acks.committed(part.covered)
        return together(parts)

    def _half(self, batch: Batch) -> Committed:
        try:
            return self._store.commit(batch)
        except Unstorable:
            return self._in_halves(batch)

    def _quarantined(self, batch: Batch) -> Committed:
        """Keep the one thing that the database refuses without what it says; covered only if that much is stored."""
        self._counters.unstorable += 1
        try:
            return self._store.commit(without_bodies(batch))
        except Unstorable as error:
            LOG.error("not stored and not acknowledged: %s", error)
            return Committed()

    def _committed(self, batch: Batch, committed: Committed) -> None:
        self._inbox.committed(batch)
        counters = self._counters
        counters.commits += 1
        counters.committed += committed.fresh
        counters.again += committed.again
        counters.quarantined += committed.quarantined
        counters.gone += len(batch.gone)
        self._acks.committed(committed.covered)
        for clash in committed.clashes:
            counters.clashes += 1
            self._acks.clash(clash.device, clash.epoch, clash.seq)
            counters.wrong("clash", f"{clash.device}: two records are named {clash.epoch}/{clash.seq}; a copied card?")

    def _answer(self) -> None:
        """Answer from the database. What is still in the inbox is missing in the answer and acknowledged later."""
        for device in list(islice(self._inbox.questions, ANSWERS_A_TURN)):
            ask = self._inbox.questions[device]
            covered = self._store.coverage(device, [end.epoch for end in ask.epochs])
            self._acks.answer(device, Answer(nonce=ask.nonce, epochs=covered))
            self._counters.answers += 1
            del self._inbox.questions[device]

    def _away(self, sentence: str) -> None:
        self._counters.failures += 1
        self._retry_ns = self._clock.now().mono_ns + int(self._backoff.next_s() * SECOND_NS)
        if sentence != self.trouble:
            LOG.error("%s", sentence)
        if not self.trouble:
            self._announce(False)
        self.trouble = sentence

    def _back(self) -> None:
        self._retry_ns = 0
        if self.trouble:
            LOG.warning("the store commits again")
            self.trouble = ""
            self._backoff.reset()
            self._announce(True)
