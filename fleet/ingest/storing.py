"""What is done at the store, on a thread that may wait for it: commit a batch whatever is in it, look up answers."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from platefleet.fleet.ingest.halving import halves, without_bodies
from platefleet.fleet.store.errors import Unstorable
from platefleet.fleet.store.port import Batch, Committed, Store
from platefleet.protocol.clock import MILLISECOND_NS, Clock
from platefleet.protocol.errors import StoreError
from platefleet.protocol.messages import Ask, EpochCoverage

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """One transaction's worth and the questions that come after it; neither: only look whether the store is there."""

    batch: Batch = field(default_factory=Batch)
    questions: tuple[tuple[str, Ask], ...] = ()


@dataclass(slots=True)
class Outcome:
    """What came of a task, as far as it got.

    parts: what was committed, in one part unless the database refused the whole; None while the batch is not durable.
    answers: by device, with the question. unstorable: records that the database refuses. trouble: why the rest was not
    done, one sentence.
    """

    task: Task
    parts: list[Committed] | None = None
    answers: list[tuple[str, Ask, tuple[EpochCoverage, ...]]] = field(default_factory=list)
    unstorable: int = 0
    commit_ms: float = 0.0
    trouble: str = ""


class Storing:
    """Does tasks, one at a time; touches the store and nothing else."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def perform(self, task: Task) -> Outcome:
        """Do the task; a store that is away is told in the outcome."""
        outcome = Outcome(task)
        try:
            if task.batch:
                began_ns = self._clock.now().mono_ns
                outcome.parts = self._commit(task.batch, outcome)
                outcome.commit_ms = (self._clock.now().mono_ns - began_ns) / MILLISECOND_NS
            elif not task.questions:
                self._store.check()
            for device, ask in task.questions:
                covered = self._store.coverage(device, [end.epoch for end in ask.epochs])
                outcome.answers.append((device, ask, covered))
        except StoreError as error:
            outcome.trouble = str(error)
        return outcome

    def _commit(self, batch: Batch, outcome: Outcome) -> list[Committed]:
        try:
            return [self._store.commit(batch)]
        except Unstorable as error:
            LOG.error("%s", error)
            return self._in_halves(batch, outcome)

    def _in_halves(self, batch: Batch, outcome: Outcome) -> list[Committed]:
        """Commit a batch that the database refused as a whole: one record that it cannot hold harms no other."""
        if len(batch.arrivals) + len(batch.gone) == 1:
            return [self._quarantined(batch, outcome)]
        return [part for half in halves(batch) for part in self._half(half, outcome)]

    def _half(self, batch: Batch, outcome: Outcome) -> list[Committed]:
        try:
            return [self._store.commit(batch)]
        except Unstorable:
            return self._in_halves(batch, outcome)

    def _quarantined(self, batch: Batch, outcome: Outcome) -> Committed:
        """Keep the one thing that the database refuses without what it says; covered only if that much is stored."""
        outcome.unstorable += 1
        try:
            return self._store.commit(without_bodies(batch))
        except Unstorable as error:
            LOG.error("not stored and not acknowledged: %s", error)
            return Committed()
