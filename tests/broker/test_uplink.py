"""Records over the real Mosquitto to a minimal ingest: covered once, through everything that a broker and a link do."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from platefleet.protocol import topics
from platefleet.protocol.clock import MILLISECOND_NS, SystemClock
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.delivery.coverage import merge
from platefleet.protocol.delivery.effects import Limits
from platefleet.protocol.delivery.frame import Record, thaw
from platefleet.protocol.delivery.outbox import MemoryOutbox
from platefleet.protocol.delivery.uplink import Uplink
from platefleet.protocol.ids import new_epoch
from platefleet.protocol.messages import (
    Ack,
    Answer,
    Backfill,
    Beat,
    EpochCoverage,
    Gone,
    Host,
    LivePlate,
)
from platefleet.protocol.session import Broker, Received, Session, host_of
from tests.mosquitto import MakeMosquitto, Mosquitto
from tests.proxy import Proxy
from tests.record_builders import a_crop, a_pass
from tests.until import BUSY, until

pytestmark = pytest.mark.broker
CLOCK = SystemClock()
DEVICE = "north-1"


class TinyIngest:
    """Keeps frames in a dictionary and acknowledges; what ingest is to a device, in forty lines."""

    def __init__(self, broker: Broker, store: str = "store-1") -> None:
        self.store = store
        self.frames: dict[tuple[str, int], bytes] = {}
        self.copies: Counter[tuple[str, int]] = Counter()
        self.clashes: set[tuple[str, int]] = set()
        self.gone: list[Gone] = []
        self.live: list[LivePlate] = []
        self.deaf = False
        wanted = [(topics.every("plate"), 1), (topics.every("backfill"), 1)]
        self.session = Session("ingest-1", broker, clock=CLOCK, subscriptions=wanted, announcement=host_of("1", store))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.session.start()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self.session.wake()
        self._thread.join(5)
        self.session.stop()

    def seqs(self, outbox: MemoryOutbox) -> list[int]:
        return sorted(seq for epoch, seq in self.frames if epoch == outbox.epoch)

    def _run(self) -> None:
        while not self._stop.is_set():
            event = self.session.next_event(1.0)
            if not isinstance(event, Received) or self.deaf:
                continue
            kind = topics.parse(event.topic).kind
            if kind == "plate":
                self.live.append(decode(LivePlate, event.payload))
                self._commit([self.live[-1].record], (), None)
            elif kind == "backfill":
                body = decode(Backfill, event.payload)
                self._commit(list(body.records), body.gone, body)

    def _commit(self, frames: list[bytes], gone: tuple[Gone, ...], body: Backfill | None) -> None:
        covered, clash = defaultdict(list), defaultdict(list)
        for frame in frames:
            record = thaw(frame)
            self.copies[record.key] += 1
            taken = record.key in self.clashes or self.frames.setdefault(record.key, frame) != frame
            (clash if taken else covered)[record.epoch].append((record.seq, record.seq))
        self.gone += gone
        for each in gone:
            covered[each.epoch].append((each.first, each.last))
        answer = None
        if body is not None and body.ask is not None:
            held = defaultdict(list)
            for epoch, seq in self.frames:
                held[epoch].append((seq, seq))
            for each in self.gone:
                held[each.epoch].append((each.first, each.last))
            asked = tuple(ranges(end.epoch, held[end.epoch]) for end in body.ask.epochs)
            answer = Answer(nonce=body.ask.nonce, epochs=asked)
        ack = Ack(
            store=self.store,
            covered=tuple(ranges(*each) for each in covered.items()),
            clash=tuple(ranges(*each) for each in clash.items()),
            answer=answer,
        )
        until(lambda: self._stop.is_set() or self.session.publish(topics.ack(DEVICE), encode(ack), qos=1) is not None)


def ranges(epoch: str, seqs: list[tuple[int, int]]) -> EpochCoverage:
    return EpochCoverage(epoch=epoch, covered=merge(seqs))


class Device:
    """An outbox with its uplink."""

    def __init__(self, broker: Broker, *, start: bool = True, limits: Limits | None = None, **quota: int) -> None:
        self.outbox = MemoryOutbox(clock=CLOCK, **quota)
        self.session = Session(DEVICE, broker, clock=CLOCK)
        self.uplink = Uplink(self.session, self.outbox, clock=CLOCK, limits=limits)
        if start:
            self.uplink.start()

    def appends(self, records: int) -> list[Record]:
        return [self.outbox.append("plate", a_pass(revision=n)) for n in range(1, records + 1)]

    def tells(self, record: Record, seen_ms_ago: int = 0) -> None:
        self.uplink.tell(record, CLOCK.now().mono_ns - seen_ms_ago * MILLISECOND_NS)

    def online(self) -> None:
        until(lambda: self.session.health().state == "online")


Start = Callable[..., Device]
StartIngest = Callable[..., TinyIngest]


@pytest.fixture
def device() -> Iterator[Start]:
    started: list[Device] = []

    def start(broker: Broker, **options: object) -> Device:
        started.append(Device(broker, **options))  # type: ignore[arg-type]  # passed through
        return started[-1]

    yield start
    for each in started:
        each.uplink.stop()


@pytest.fixture
def ingest() -> Iterator[StartIngest]:
    started: list[TinyIngest] = []

    def start(broker: Broker, **options: str) -> TinyIngest:
        started.append(TinyIngest(broker, **options))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def test_every_record_is_covered_and_sent_once(mosquitto: Mosquitto, device: Start, ingest: StartIngest) -> None:
    store = ingest(mosquitto.broker)
    north = device(mosquitto.broker)
    north.appends(200)
    north.outbox.append("crops", a_crop(90_000))
    assert north.uplink.wait_covered(30)
    assert store.seqs(north.outbox) == list(range(1, 203))
    assert set(store.copies.values()) == {1}
    stats = north.uplink.stats
    assert (stats.appended, stats.committed, stats.waiting, stats.gone) == (202, 202, 0, 0)
    assert stats.counters()["filled_back"] == 202


def test_a_live_copy_carries_its_age_and_the_beats_that_were_heard(
    mosquitto: Mosquitto, device: Start, ingest: StartIngest
) -> None:
    store = ingest(mosquitto.broker)
    north = device(mosquitto.broker)
    assert north.uplink.wait_covered(30)  # both ends are subscribed then
    store.session.publish(topics.beat(DEVICE), encode(Beat(gate="gate-1", n=41)))
    store.session.publish(topics.beat(DEVICE), encode(Beat(gate="gate-1", n=42)))
    until(lambda: [each.n for each in north.uplink._beats.report(CLOCK.now().mono_ns).values()] == [42])
    (record,) = north.appends(1)
    north.tells(record, seen_ms_ago=500)
    (live,) = until(lambda: store.live)
    assert 500 <= live.age_ms < 500 + 400 * BUSY
    assert live.heard["gate-1"].n == 42
    assert thaw(live.record) == record
    assert north.uplink.wait_covered(30)
    assert store.copies[record.key] == 1  # told live, it was not filled back as well


def test_the_same_record_is_told_again_with_a_new_age_even_when_it_is_committed(
    mosquitto: Mosquitto, device: Start, ingest: StartIngest
) -> None:
    store = ingest(mosquitto.broker)
    north = device(mosquitto.broker)
    north.online()
    (record,) = north.appends(1)
    for times in range(1, 4):
        north.tells(record)
        until(lambda times=times: len(store.live) == times)
        assert north.uplink.wait_covered(30)
    assert [live.record for live in store.live] == [record.frame] * 3


def test_a_live_copy_that_grew_too_old_while_the_broker_was_away_is_only_filled_back(
    mosquitto: Mosquitto, device: Start, ingest: StartIngest
) -> None:
    north = device(mosquitto.broker, limits=Limits(live_limit_ns=300 * MILLISECOND_NS))
    north.online()
    mosquitto.kill()
    until(lambda: north.session.health().state != "online")
    old, young = north.appends(2)
    north.tells(old)
    time.sleep(0.4)  # the clock of the session is the machine's
    north.tells(young)
    mosquitto.start()
    store = ingest(mosquitto.broker)
    assert north.uplink.wait_covered(30)
    assert old.frame not in [live.record for live in store.live]
    assert north.uplink.stats.late >= 1


def test_a_broker_killed_with_everything_it_held_loses_nothing(
    mosquitto: Mosquitto, device: Start, ingest: StartIngest
) -> None:
    store = ingest(mosquitto.broker)
    north = device(mosquitto.broker)
    stop = threading.Event()

    def drive() -> None:
        while not stop.wait(0.002):
            record = north.outbox.append("plate", a_pass())
            north.outbox.append("crops", a_crop(5000))
            north.tells(record)

    driving = threading.Thread(target=drive)
    driving.start()
    for _ in range(3):
        time.sleep(0.4)  # traffic flows
        mosquitto.kill()
        time.sleep(0.2)
        mosquitto.start()
    stop.set()
    driving.join()
    assert north.uplink.wait_covered(30)
    stats = north.uplink.stats
    assert store.seqs(north.outbox) == list(range(1, stats.appended + 1))
    assert (stats.gone, stats.unsendable, stats.faults) == (0, 0, 0)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_stalled_link_loses_nothing_and_delivers_nothing_old_as_young(
    mosquitto: Mosquitto,
    device: Start,
    ingest: StartIngest,
    make_proxy: Callable[[int], Proxy],
    direction: str,
) -> None:
    store = ingest(mosquitto.broker)
    proxy = make_proxy(mosquitto.port)
    north = device(replace(mosquitto.broker, port=proxy.port, keepalive_s=1))
    north.online()
    proxy.stall("up" if direction == "up" else "down")
    began_ns = CLOCK.now().mono_ns
    for record in north.appends(20):
        north.tells(record)
    until(lambda: north.session.health().state != "online")
    proxy.cut()
    proxy.resume()
    assert north.uplink.wait_covered(30)
    assert store.seqs(north.outbox) == list(range(1, 22))
    assert north.uplink.stats.gone == 0
    took_ms = (CLOCK.now().mono_ns - began_ns) // MILLISECOND_NS
    late = [live.age_ms for live in store.live if live.age_ms > 1000]
    assert all(1000 < age_ms <= took_ms for age_ms in late)


def test_a_store_restored_from_a_backup_is_filled_again_after_the_next_question(
    mosquitto: Mosquitto, device: Start, ingest: StartIngest
) -> None:
    store = ingest(mosquitto.broker)
    north = device(mosquitto.broker)
    north.appends(50)
    assert north.uplink.wait_covered(30)
    store.frames = {key: frame for key, frame in store.frames.items() if key[1] <= 10}
    mosquitto.kill()
    until(lambda: north.session.health().state != "online")
    mosquitto.start()
    until(lambda: len(store.seqs(north.outbox)) == 51)
    assert north.uplink.wait_covered(30)
    assert north.uplink.stats.answered >= 2


def test_while_nobody_commits_nothing_is_filled_back_and_live_copies_go_on(
    mosquitto: Mosquitto, device: Start, ingest: StartIngest
) -> None:
    store = ingest(mosquitto.broker)
    until(lambda: store.session.health().state == "online")
    store.session.announce(False)
    north = device(mosquitto.broker)
    north.online()
    until(lambda: north.uplink._next.nobody_commits)
    sent_before = north.uplink.stats.filled_back
    told, *_ = north.appends(20)
    north.tells(told)
    until(lambda: store.live)
    assert north.uplink.stats.filled_back == sent_before
    store.session.announce(True)
    assert north.uplink.wait_covered(30)


def test_a_lone_will_of_an_earlier_worker_does_not_stop_the_filling(
    mosquitto: Mosquitto, device: Start, ingest: StartIngest
) -> None:
    store = ingest(mosquitto.broker)
    north = device(mosquitto.broker)
    north.online()
    assert north.uplink.wait_covered(30)
    stale = Host(slot="1", incarnation=new_epoch(), committing=False, store="store-1")
    north.session.publish(topics.host("1"), encode(stale), qos=1)
    north.appends(5)
    assert north.uplink.wait_covered(30)
    assert store.seqs(north.outbox) == list(range(1, 7))


def test_only_one_store_is_believed(mosquitto: Mosquitto, device: Start, ingest: StartIngest) -> None:
    store = ingest(mosquitto.broker)
    north = device(mosquitto.broker)
    assert north.uplink.wait_covered(30)
    store.deaf = True
    north.appends(1)
    everything = EpochCoverage(epoch=north.outbox.epoch, covered=((1, 1000),))
    store.session.publish(topics.ack(DEVICE), encode(Ack(store="impostor", covered=(everything,))), qos=1)
    until(lambda: north.uplink.stats.foreign_stores == 1)
    assert north.outbox.depth().waiting == 1


def test_a_taken_name_is_an_alarm_and_the_record_goes_on_under_another(
    mosquitto: Mosquitto, device: Start, ingest: StartIngest
) -> None:
    store = ingest(mosquitto.broker)
    north = device(mosquitto.broker)
    assert north.uplink.wait_covered(30)
    first = north.outbox.epoch
    store.clashes.add((first, 2))
    north.appends(3)
    until(lambda: north.outbox.epoch != first)
    assert north.uplink.wait_covered(30)
    bodies = [thaw(frame).body for frame in store.frames.values()]
    assert encode(a_pass(revision=1)) in bodies
    stats = north.uplink.stats
    assert (stats.clashes, stats.renamed, stats.gone) == (1, 1, 0)


def test_what_the_quota_took_is_told_to_the_store(mosquitto: Mosquitto, device: Start, ingest: StartIngest) -> None:
    north = device(mosquitto.broker, start=False, quota_records=10)
    north.appends(15)
    store = ingest(mosquitto.broker)
    north.uplink.start()
    assert north.uplink.wait_covered(30)
    until(lambda: north.outbox.gone(1) == ())
    assert {(each.first, each.last, each.reason) for each in store.gone} == {(1, 6, "quota")}
    assert north.uplink.stats.gone == 6


def test_a_record_above_the_brokers_limit_is_set_aside_and_the_others_arrive(
    make_mosquitto: MakeMosquitto, device: Start, ingest: StartIngest
) -> None:
    mosquitto = make_mosquitto(lines=("max_packet_size 20000",))
    store = ingest(mosquitto.broker)
    north = device(mosquitto.broker)
    north.appends(60)
    large = north.outbox.append("crops", a_crop(50_000))
    north.appends(10)
    assert north.uplink.wait_covered(30)
    assert store.seqs(north.outbox) == [seq for seq in range(1, 73) if seq != large.seq]
    assert north.uplink.stats.unsendable == 1
    until(lambda: store.gone)
    assert (store.gone[0].first, store.gone[0].reason) == (large.seq, "unsendable")


def test_hostile_bytes_from_the_broker_are_counted_and_change_nothing(
    mosquitto: Mosquitto, device: Start, ingest: StartIngest
) -> None:
    store = ingest(mosquitto.broker)
    north = device(mosquitto.broker)
    assert north.uplink.wait_covered(30)  # both ends are subscribed then
    for topic in (topics.ack(DEVICE), topics.beat(DEVICE), topics.host("2")):
        assert store.session.publish(topic, b"\xc1 nothing", qos=1) is not None
    endless = EpochCoverage(epoch=north.outbox.epoch, covered=((1, 2**53 - 1),))
    store.session.publish(topics.ack(DEVICE), encode(Ack(store="store-1", clash=(endless,))), qos=1)
    until(lambda: north.uplink.stats.malformed == 3)
    north.appends(5)
    assert north.uplink.wait_covered(30)
    assert north.uplink.stats.faults == 0


def test_a_callback_that_fails_is_counted_and_the_uplink_goes_on(
    mosquitto: Mosquitto, ingest: StartIngest, caplog: pytest.LogCaptureFixture
) -> None:
    store = ingest(mosquitto.broker)
    outbox = MemoryOutbox(clock=CLOCK)

    def fail(received: Received) -> None:
        raise ZeroDivisionError(received.topic)

    uplink = Uplink(Session(DEVICE, mosquitto.broker, clock=CLOCK), outbox, clock=CLOCK, on_message=fail)
    uplink.start()
    try:
        until(lambda: uplink.stats.faults >= 1)  # our own presence is a message like any other
        outbox.append("plate", a_pass())
        assert uplink.wait_covered(30)
    finally:
        uplink.stop()
    assert "it goes on" in caplog.text
    assert store.seqs(outbox) == [1, 2]


def test_a_stop_is_orderly_and_quick_with_records_left(mosquitto: Mosquitto, device: Start) -> None:
    north = device(mosquitto.broker)
    north.online()
    north.appends(100)
    began = time.monotonic()
    north.uplink.stop()
    assert time.monotonic() - began < 2 * BUSY
    assert north.session.health().state == "stopped"
    assert north.outbox.depth().waiting == 101


def test_a_question_above_the_brokers_limit_tells_less_at_a_time_and_never_stops_the_live_copies(
    make_mosquitto: MakeMosquitto, device: Start, ingest: StartIngest
) -> None:
    mosquitto = make_mosquitto(lines=("max_packet_size 4000",))
    store = ingest(mosquitto.broker)
    north = device(mosquitto.broker, start=False, limits=replace(Limits(), again_ns=200 * MILLISECOND_NS))
    records = north.appends(400)
    for record in records[:-1:2]:
        north.outbox.set_aside(record.key, "unsendable")
    north.uplink.start()
    north.online()
    north.tells(records[-1])
    until(lambda: store.live)
    assert north.uplink.wait_covered(30)
    assert north.uplink.stats.asked >= 1
    assert store.gone
