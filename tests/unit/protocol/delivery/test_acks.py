"""What a device makes of what the store says."""

from __future__ import annotations

from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.delivery.acks import EPOCH_EVERY_NS, Acks
from platefleet.protocol.delivery.effects import SendAsk
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.delivery.next import Next
from platefleet.protocol.delivery.stats import UplinkStats
from platefleet.protocol.messages import Ack, Answer, Ask, EpochCoverage
from platefleet.protocol.messages.delivery import RANGES_ANSWERED
from tests.record_builders import a_pass
from tests.turned_clock import TurnedClock

NOW = 1000 * SECOND_NS


class Device:
    """An outbox of three plates, and what hears its acks."""

    def __init__(self) -> None:
        self.outbox = MemoryOutbox(clock=TurnedClock())
        self.records = [self.outbox.append("plate", a_pass(revision=n)) for n in (1, 2, 3)]
        self.stats = UplinkStats()
        self.sender = Next()
        self.acks = Acks(self.outbox, self.sender, self.stats, store="store-1")

    def hears_that_the_second_is_taken(self, now_ns: int = NOW) -> None:
        epoch = self.records[0].epoch
        first, second = self.records[0].seq, self.records[1].seq
        clash = EpochCoverage(epoch=epoch, covered=((second, second),))
        covered = EpochCoverage(epoch=epoch, covered=((1, second),))
        assert first < second
        self.acks.heard(Ack(store="store-1", covered=(covered,), clash=(clash,)), now_ns)

    def waits(self) -> list[bytes]:
        found = [self.outbox.read(entry.key) for entry in self.outbox.waiting(None, 100)]
        return [record.body for record in found if record is not None and record.type == "plate"]


def test_a_record_whose_name_is_taken_waits_under_another_though_the_store_covers_the_name() -> None:
    device = Device()
    device.hears_that_the_second_is_taken()
    assert device.outbox.epoch != device.records[0].epoch
    assert sorted(device.waits()) == sorted(record.body for record in device.records[1:])
    assert device.outbox.standing(device.records[0].key) == "covered"
    assert (device.stats.clashes, device.outbox.depth().renamed) == (1, 1)


def test_neither_does_an_answer_that_comes_with_it_take_the_record_for_stored() -> None:
    device = Device()
    epoch, second = device.records[1].key
    everything = EpochCoverage(epoch=epoch, covered=((1, second),))
    device.acks.asked = Ask(nonce="0" * 32, epochs=device.outbox.epochs())
    clash = EpochCoverage(epoch=epoch, covered=((second, second),))
    answer = Answer(nonce="0" * 32, epochs=(everything,))
    device.acks.heard(Ack(store="store-1", clash=(clash,), answer=answer), NOW)
    assert device.records[1].body in device.waits()
    assert device.stats.answered == 1


def test_until_a_new_epoch_may_begin_it_waits_under_the_name_that_is_taken() -> None:
    device = Device()
    device.outbox.begin_epoch()
    device.hears_that_the_second_is_taken()  # of an earlier epoch: renamed, and no epoch begins
    device.records = [device.outbox.append("plate", a_pass(revision=n)) for n in (1, 2)]
    device.hears_that_the_second_is_taken()  # begins one
    device.records = [device.outbox.append("plate", a_pass(revision=n)) for n in (1, 2)]
    epoch = device.outbox.epoch
    device.hears_that_the_second_is_taken(NOW + EPOCH_EVERY_NS - 1)
    assert (device.outbox.epoch, device.outbox.standing(device.records[1].key)) == (epoch, "waiting")
    device.hears_that_the_second_is_taken(NOW + EPOCH_EVERY_NS)
    assert device.outbox.epoch != epoch
    assert device.records[1].body in device.waits()


def test_epochs_that_a_full_answer_leaves_out_stay_believed_and_are_asked_for_at_once() -> None:
    device = Device()
    early = device.outbox.epoch
    for n in range(2 * RANGES_ANSWERED):
        device.outbox.append("plate", a_pass(revision=1 + n % 3))
    device.outbox.begin_epoch()
    late = device.outbox.append("plate", a_pass())
    device.outbox.cover([EpochCoverage(epoch=late.epoch, covered=((1, late.seq),))])
    device.sender.on_connected(NOW, 100)
    device.acks.asked = asked = device.acks.question()
    every_other = tuple((2 * n, 2 * n) for n in range(1, RANGES_ANSWERED + 1))
    told = (EpochCoverage(epoch=early, covered=every_other), EpochCoverage(epoch=late.epoch))
    device.acks.heard(Ack(store="store-1", answer=Answer(nonce=asked.nonce, epochs=told)), NOW)
    assert device.outbox.standing(late.key) == "covered"
    assert [end.epoch for end in device.acks.question().epochs] == [late.epoch]
    assert device.sender.decide(NOW) == SendAsk()
    device.acks.asked = rest = device.acks.question()
    device.acks.heard(Ack(store="store-1", answer=Answer(nonce=rest.nonce, epochs=told[1:])), NOW)
    assert device.outbox.standing(late.key) == "waiting", "the store was asked, and does not have it"
    assert device.acks.question().epochs == device.outbox.epochs()
    assert device.sender.decide(NOW) != SendAsk()


def test_another_connection_asks_from_the_beginning() -> None:
    device = Device()
    device.outbox.begin_epoch()
    device.acks.asked = asked = device.acks.question()
    full = EpochCoverage(epoch=asked.epochs[0].epoch, covered=((1, 1),) * RANGES_ANSWERED)
    device.acks.heard(Ack(store="store-1", answer=Answer(nonce=asked.nonce, epochs=(full,))), NOW)
    assert device.acks.question().epochs == asked.epochs[1:]
    device.acks.forget()
    assert device.acks.question().epochs == asked.epochs
