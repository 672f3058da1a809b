"""What the store says of our records, and what follows for the outbox and the sender."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.delivery.answers import spoken_of
from platefleet.protocol.delivery.effects import Key
from platefleet.protocol.delivery.next import Next
from platefleet.protocol.delivery.port import Outbox
from platefleet.protocol.delivery.range_set import RangeSet
from platefleet.protocol.delivery.stats import UplinkStats
from platefleet.protocol.ids import new_epoch
from platefleet.protocol.messages import Ack, Ask, EpochCoverage, EpochEnd

LOG = logging.getLogger(__name__)
EPOCH_EVERY_NS = 3600 * SECOND_NS
"""A clash begins a new epoch at most this often."""
CLASHES_AT_ONCE = 1000


class Acks:
    """Hears one store: acks only add, the answer to the newest question replaces, a clash is an alarm.

    store: the id that is believed; None: the first that is heard. asked: the question whose answer is awaited.
    A full answer leaves epochs out; they are asked for next.
    """

    def __init__(self, outbox: Outbox, sender: Next, stats: UplinkStats, *, store: str | None) -> None:
        self.store = store
        self.asked: Ask | None = None
        self._left: tuple[EpochEnd, ...] = ()
        self._outbox = outbox
        self._next = sender
        self._stats = stats
        self._epoch_begun_ns: int | None = None

    def question(self) -> Ask:
        """Return what to ask next."""
        return Ask(nonce=new_epoch(), epochs=self._left or self._outbox.epochs())

    def forget(self) -> None:
        """Await no answer any more, and ask from the beginning: another connection begins."""
        self.asked, self._left = None, ()

    def heard(self, ack: Ack, now_ns: int) -> None:
        """Take an ack. One of a store that is not believed changes nothing, and is counted."""
        if self.store is None:
            self.store = ack.store
        if ack.store != self.store:
            if not self._stats.foreign_stores:
                LOG.warning("an ack of store %s is ignored: store %s is believed", ack.store, self.store)
            self._stats.foreign_stores += 1
            return
        # First: the store covers a name that it has from somebody else too, and ours under it is still to be stored.
        if ack.clash:
            self._on_clash(self._clashing(ack), now_ns)
        covered = _without(ack.covered, ack.clash)
        answer, asked = ack.answer, self.asked
        if answer is not None and asked is not None and answer.nonce == asked.nonce:
            self.asked = None
            self._stats.answered += 1
            told, self._left = spoken_of(asked.epochs, answer.epochs)
            self._outbox.answer(told, answer.epochs)
            self._next.on_committed(answer.epochs, now_ns)
            self._next.on_answered(now_ns, more=bool(self._left))
        self._outbox.cover(covered)
        self._next.on_committed(covered, now_ns)

    def _clashing(self, ack: Ack) -> list[Key]:
        """Return the names in question, of ours and no more than are handled at once: the ranges come from outside."""
        last = {end.epoch: end.last for end in self._outbox.epochs()}
        keys: list[Key] = []
        for told in ack.clash:
            for first, end in told.covered:
                most = min(end, last.get(told.epoch, 0), first + CLASHES_AT_ONCE - len(keys) - 1)
                keys += [(told.epoch, seq) for seq in range(first, most + 1)]
        return keys

    def _on_clash(self, keys: list[Key], now_ns: int) -> None:
        """Give records whose names are taken new ones; begin a new epoch for that at most once an hour."""
        self._stats.clashes += len(keys)
        LOG.error(
            "the store has other records under %d of our names; another machine may write in this name", len(keys)
        )
        begun_ns = self._epoch_begun_ns
        rested = begun_ns is None or now_ns - begun_ns >= EPOCH_EVERY_NS
        if rested and any(key[0] == self._outbox.epoch for key in keys):
            self._outbox.begin_epoch()
            self._epoch_begun_ns = now_ns
        for key in keys:
            if key[0] != self._outbox.epoch and self._outbox.rename(key) is not None:
                self._next.on_vanished(key)


def _without(covered: Sequence[EpochCoverage], clash: Sequence[EpochCoverage]) -> Sequence[EpochCoverage]:
    """Return what is covered, but for the names that clash."""
    taken = {each.epoch: RangeSet(each.covered) for each in clash}
    return [
        each
        if each.epoch not in taken
        else EpochCoverage(
            epoch=each.epoch,
            covered=tuple(left for seqs in each.covered for left in taken[each.epoch].lacking(*seqs)),
        )
        for each in covered
    ]
