"""Commit, and go on when the store is away: what could not be committed stays in the inbox and is tried again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import islice

from platefleet.fleet.ingest.acks import Acks
from platefleet.fleet.ingest.counters import Counters
from platefleet.fleet.ingest.inbox import Inbox
from platefleet.fleet.ingest.storing import Outcome, Storing, Task
from platefleet.fleet.store.port import Batch, Committed, Store
from platefleet.protocol.backoff import Backoff
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.messages import Answer

LOG = logging.getLogger(__name__)

ANSWERS_A_TURN = 100
"""After a broker's restart every device asks at once; commits go on in between."""
CHECK_NS = 5 * SECOND_NS
"""A store with nothing to commit is looked at this often, so that `host` says the truth while no car comes."""


class Committer:
    """Moves the inbox into the store and what came of it into the acks. One thread; `storing` may have another.

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
        self.storing = Storing(store, clock=clock)
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
        """Do on this thread what is to be done at the store: one transaction's worth, answers, or a look."""
        task = self.begin()
        if task is not None:
            self.finish(self.storing.perform(task))

    def begin(self) -> Task | None:
        """Return what is to be done at the store, None for nothing or while it is away and left in peace.

        One at a time: `finish` or `give_up` comes before the next.
        """
        now_ns = self._clock.now().mono_ns
        if now_ns < self._retry_ns:
            return None
        if not self._inbox and not self._inbox.questions and now_ns - self._looked_ns < CHECK_NS and not self.trouble:
            return None
        return Task(self._inbox.hand_out(), tuple(islice(self._inbox.questions.items(), ANSWERS_A_TURN)))

    def finish(self, outcome: Outcome) -> None:
        """Take what came of it: what is durable leaves the inbox and is told."""
        self._inbox.take_back()
        self._counters.unstorable += outcome.unstorable
        if outcome.parts is not None:
            self._counters.commit_ms_most = max(self._counters.commit_ms_most, outcome.commit_ms)
            self._committed(outcome.task.batch, outcome.parts)
        self._answer(outcome)
        if outcome.trouble:
            self._away(outcome.trouble)
            return
        self._looked_ns = self._clock.now().mono_ns
        self._back()

    def give_up(self) -> None:
        """Nothing came of it: everything is tried again."""
        self._inbox.take_back()

    def wait_ns(self) -> int:
        """Return how long nothing can be done here: nanoseconds, 0 or more."""
        return max(0, self._retry_ns - self._clock.now().mono_ns)

    def _committed(self, batch: Batch, parts: list[Committed]) -> None:
        self._inbox.committed(batch)
        counters = self._counters
        counters.commits += 1
        counters.gone += len(batch.gone)
        for part in parts:
            counters.committed += part.fresh
            counters.again += part.again
            counters.quarantined += part.quarantined
            self._acks.committed(part.covered)
            for clash in part.clashes:
                counters.clashes += 1
                self._acks.clash(clash.device, clash.epoch, clash.seq)
                sentence = f"{clash.device}: two records are named {clash.epoch}/{clash.seq}; a copied card?"
                counters.wrong("clash", sentence)

    def _answer(self, outcome: Outcome) -> None:
        """Answer from the database. What is still in the inbox is missing in the answer and acknowledged later."""
        questions = self._inbox.questions
        for device, ask, covered in outcome.answers:
            if questions.get(device) is ask:  # else it asked anew meanwhile, and waits for that answer
                self._acks.answer(device, Answer(nonce=ask.nonce, epochs=covered))
                self._counters.answers += 1
                del questions[device]

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
