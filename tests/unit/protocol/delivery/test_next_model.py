"""Over any history of links, brokers and stores: every record is covered or gone in the end, within all limits."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.delivery.acks import Acks
from platefleet.protocol.delivery.coverage import merge
from platefleet.protocol.delivery.effects import Entry, Key, Limits, Rest, SendAsk, SendBatch, Sending, SendLive
from platefleet.protocol.delivery.next import Next
from platefleet.protocol.delivery.outbox import MemoryOutbox
from platefleet.protocol.delivery.stats import UplinkStats
from platefleet.protocol.ids import new_epoch
from platefleet.protocol.messages import Ack, Answer, Ask, EpochCoverage
from tests.record_builders import a_crop
from tests.turned_clock import TurnedClock

LIMITS = Limits(batch_bytes=2000, batch_records=4, outstanding_records=10, outstanding_bytes=8000, window_most=4)
PAGE = 3


@dataclass
class Store:
    """What is committed; answers as ingest does."""

    held: set[Key] = field(default_factory=set)

    def coverage(self, keys: set[Key]) -> tuple[EpochCoverage, ...]:
        epochs: dict[str, list[tuple[int, int]]] = {}
        for epoch, seq in keys:
            epochs.setdefault(epoch, []).append((seq, seq))
        return tuple(EpochCoverage(epoch=epoch, covered=merge(ranges)) for epoch, ranges in epochs.items())

    def commit(self, keys: set[Key], ask: Ask | None) -> Ack:
        self.held |= keys
        answer = None
        if ask is not None:
            asked = {end.epoch for end in ask.epochs}
            answer = Answer(nonce=ask.nonce, epochs=self.coverage({key for key in self.held if key[0] in asked}))
        return Ack(store="store-1", covered=self.coverage(keys), answer=answer)


@dataclass
class Message:
    token: int
    sending: Sending
    ask: Ask | None
    gone: set[Key]

    @property
    def keys(self) -> set[Key]:
        match self.sending:
            case SendLive(entry):
                return {entry.key}
            case SendBatch(entries):
                return {entry.key for entry in entries}
        return self.gone


class Histories(RuleBasedStateMachine):
    """A sender, its outbox, a link that loses, repeats and reorders, and a store that may be restored from a backup."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = TurnedClock()
        self.outbox = MemoryOutbox(clock=self.clock, quota_bytes=60_000, quota_records=40)
        self.next = Next(LIMITS)
        self.acks = Acks(self.outbox, self.next, UplinkStats(), store=None)
        self.store = Store()
        self.backup: set[Key] = set()
        self.link: list[Message] = []
        self.acks_under_way: list[Ack] = []
        self.tokens = 0

    @property
    def now_ns(self) -> int:
        return self.clock.now().mono_ns

    @initialize()
    def begin(self) -> None:
        self.next.on_connected(self.now_ns, 16)

    @rule(size=st.integers(200, 3000), live=st.booleans())
    def append(self, size: int, live: bool) -> None:
        lost = self.outbox.depth().gone
        record = self.outbox.append("plate" if live else "crops", a_crop(size))
        self.next.on_appended()
        if self.outbox.depth().gone > lost:
            self.next.on_gone()
        if live:
            self.next.live.tell(Entry(*record.key, len(record.frame)), self.now_ns)

    @rule(seconds=st.sampled_from([0.01, 0.2, 1.0, 6.0, 61.0]))
    def turn(self, seconds: float) -> None:
        self.clock.turn(seconds)

    @rule(times=st.integers(1, 6))
    def send(self, times: int) -> None:
        for _ in range(times):
            if not self._send_one():
                return

    @precondition(lambda self: self.link)
    @rule(data=st.data(), ok=st.sampled_from([True, True, True, False]), nobody=st.sampled_from([False, False, True]))
    def broker_takes_one(self, data: st.DataObject, ok: bool, nobody: bool) -> None:
        message = self.link.pop(data.draw(st.integers(0, len(self.link) - 1)))
        if ok and not nobody:
            self.acks_under_way.append(self.store.commit(message.keys, message.ask))
        self.next.on_published(message.token, ok=ok, nobody=nobody, now_ns=self.now_ns)

    @precondition(lambda self: self.link)
    @rule(data=st.data())
    def broker_takes_one_and_loses_it(self, data: st.DataObject) -> None:
        """No belief rests on a PUBACK: the broker may be killed after it, or ingest before it commits."""
        message = self.link.pop(data.draw(st.integers(0, len(self.link) - 1)))
        self.next.on_published(message.token, ok=True, nobody=False, now_ns=self.now_ns)

    @precondition(lambda self: self.acks_under_way)
    @rule(data=st.data(), fate=st.sampled_from(["comes", "comes", "comes", "comes twice", "is lost"]))
    def ack(self, data: st.DataObject, fate: str) -> None:
        ack = self.acks_under_way.pop(data.draw(st.integers(0, len(self.acks_under_way) - 1)))
        for _ in range({"comes": 1, "comes twice": 2, "is lost": 0}[fate]):
            self.acks.heard(ack, self.now_ns)

    @rule(by_peer=st.booleans(), reached=st.integers(0, 10))
    def cut(self, by_peer: bool, reached: int) -> None:
        """Some of what was in flight reached the store all the same; its acks may still come."""
        for message in self.link[:reached]:
            self.acks_under_way.append(self.store.commit(message.keys, None))
        self.link.clear()
        for key in self.next.on_disconnected(self.now_ns, by_peer=by_peer):
            self.outbox.set_aside(key, "unsendable")
            self.next.on_vanished(key)
        self.acks.asked = None
        self.next.on_connected(self.now_ns, 16)

    @rule(nobody=st.booleans(), born=st.booleans())
    def hosts(self, nobody: bool, born: bool) -> None:
        self.next.on_hosts(nobody=nobody, born=born, now_ns=self.now_ns)

    @rule()
    def back_up(self) -> None:
        self.backup = set(self.store.held)

    @rule()
    def restore(self) -> None:
        self.store.held = set(self.backup)

    @rule()
    def clash(self) -> None:
        waiting = self.outbox.waiting(None, 1)
        if waiting:
            covered = ((waiting[0].seq, waiting[0].seq),)
            told = Ack(store="store-1", clash=(EpochCoverage(epoch=waiting[0].epoch, covered=covered),))
            self.store.held.add(waiting[0].key)
            self.acks.heard(told, self.now_ns)

    @invariant()
    def within_its_limits(self) -> None:
        out = self.next.outstanding
        assert len(out) <= LIMITS.outstanding_records
        assert out.size_bytes <= LIMITS.outstanding_bytes + 10 * 3500  # live copies count, and are not held back
        assert len([m for m in self.link if isinstance(m.sending, SendBatch)]) <= LIMITS.window_most

    def teardown(self) -> None:
        """From now on everything works: in the end the store has all that is not gone, and knows what is."""
        self.cut(by_peer=False, reached=0)
        for _ in range(400):
            while self._send_one():
                message = self.link.pop()
                self.acks_under_way.append(self.store.commit(message.keys, message.ask))
                self.next.on_published(message.token, ok=True, nobody=False, now_ns=self.now_ns)
            while self.acks_under_way:
                self.acks.heard(self.acks_under_way.pop(0), self.now_ns)
            self.clock.turn(61)
            if not self.outbox.waiting(None, 1) and not self.outbox.gone(1):
                break
        for end in self.outbox.epochs():
            for seq in range(1, end.last + 1):
                assert (end.epoch, seq) in self.store.held, f"record {seq} of {end.last} is neither covered nor gone"
        assert not self.outbox.waiting(None, 1)

    def _send_one(self) -> bool:
        if self.next.wanted():
            page = self.outbox.waiting(self.next.position, PAGE)
            self.next.on_backlog(page, last=len(page) < PAGE)
        effect = self.next.decide(self.now_ns)
        if isinstance(effect, Rest):
            assert effect.until_mono_ns is None or effect.until_mono_ns > self.now_ns, "it would spin"
            return False
        ask, gone = None, set[Key]()
        match effect:
            case SendLive(entry, seen_ns):
                assert self.now_ns - seen_ns <= 10 * SECOND_NS
                if self.outbox.standing(entry.key) == "gone":
                    self.next.on_vanished(entry.key)
                    return True
            case SendBatch(entries):
                assert not self.next.nobody_commits
                assert len(entries) == 1 or sum(entry.size_bytes for entry in entries) <= LIMITS.batch_bytes
                missing = [entry.key for entry in entries if self.outbox.read(entry.key) is None]
                for key in missing:
                    self.next.on_vanished(key)
                if missing:
                    return True
            case SendAsk():
                ask = Ask(nonce=new_epoch(), epochs=self.outbox.epochs())
                self.acks.asked = ask
                gone = {(g.epoch, seq) for g in self.outbox.gone(512) for seq in range(g.first, g.last + 1)}
        self.tokens += 1
        covered = isinstance(effect, SendLive) and self.outbox.standing(effect.entry.key) == "covered"
        self.next.on_sent(self.tokens, effect, self.now_ns, covered=covered)
        self.link.append(Message(self.tokens, effect, ask, gone))
        return True


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
