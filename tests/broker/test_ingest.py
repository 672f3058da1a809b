"""Ingest at the real Mosquitto: committed once, acknowledged, through restarts of everything."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from platefleet.fleet.ingest.inbox import BATCH_RECORDS
from platefleet.fleet.ingest.worker import Ingest, ingest_session
from platefleet.fleet.store.port import Batch, Committed, Store
from platefleet.fleet.store.sqlite import SqliteStore
from platefleet.protocol import topics
from platefleet.protocol.clock import SECOND_NS, SystemClock
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.delivery.effects import Limits
from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.delivery.uplink import Uplink
from platefleet.protocol.messages import Ack, Ask, Backfill, EpochEnd, Host
from platefleet.protocol.session import Broker, Received, Session
from tests.mosquitto import MakeMosquitto, Mosquitto
from tests.record_builders import a_crop, a_pass, a_record
from tests.seen import Seen
from tests.until import BUSY, until

pytestmark = pytest.mark.broker
CLOCK = SystemClock()
LARGEST_MESSAGE = 512
"""Records of one message, at the most."""


class Site:
    """Devices and ingest workers around one broker and one database; everything made here is stopped at the end."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
        self.path = folder / "store.db"
        self.seen = Seen(self.path)
        self._stores: dict[Ingest, Store] = {}
        self._ends: list[Callable[[], None]] = []

    def ingest(
        self, slot: str = "1", group: str = "", broker: Broker | None = None, store: Store | None = None
    ) -> Ingest:
        store = store or SqliteStore(self.path, clock=CLOCK)
        session = ingest_session(f"ingest-{slot}", broker or self.broker, slot, store, clock=CLOCK, group=group)
        worker = Ingest(session, store, clock=CLOCK)
        worker.start()
        self._ends.append(lambda: self.end_of(worker))
        self._stores[worker] = store
        return worker

    def end_of(self, worker: Ingest) -> None:
        worker.stop()
        self._stores[worker].close()

    def device(
        self, name: str = "north-1", outbox: MemoryOutbox | None = None, limits: Limits | None = None
    ) -> tuple[MemoryOutbox, Uplink]:
        outbox = outbox or MemoryOutbox(clock=CLOCK)
        uplink = Uplink(Session(name, self.broker, clock=CLOCK), outbox, clock=CLOCK, limits=limits)
        uplink.start()
        self._ends.append(uplink.stop)
        return outbox, uplink

    def listener(self, *filters: str) -> Session:
        session = Session("listener", self.broker, clock=CLOCK, subscriptions=[(each, 1) for each in filters])
        session.start()
        self._ends.append(session.stop)
        return session

    def end(self) -> None:
        for end in reversed(self._ends):
            end()

    def committed(self, outbox: MemoryOutbox, device: str = "north-1") -> list[int]:
        query = "SELECT seq FROM records WHERE device = ? AND epoch = ? ORDER BY seq"
        return [seq for (seq,) in self.seen.rows(query, device, outbox.epoch)]


class Held(SqliteStore):
    """A store whose commits take as long as somebody holds them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, clock=CLOCK)
        self.begun = threading.Event()
        self.go = threading.Event()
        self.done = threading.Event()

    def commit(self, batch: Batch) -> Committed:
        self.begun.set()
        assert self.go.wait(60)
        try:
            return super().commit(batch)
        finally:
            self.done.set()


@pytest.fixture
def site(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Site]:
    made = Site(mosquitto.broker, tmp_path)
    yield made
    made.end()


def next_received(session: Session, wanted: Callable[[Received], bool], timeout_s: float = 5.0) -> Received:
    def look() -> Received | None:
        event = session.next_event(0.1)
        return event if isinstance(event, Received) and wanted(event) else None

    return until(look, timeout_s)


def next_ack(session: Session, device: str, wanted: Callable[[Ack], object] = lambda _: True) -> Ack:
    topic = topics.ack(device)
    got = next_received(session, lambda e: e.topic == topic and bool(wanted(decode(Ack, e.payload))))
    return decode(Ack, got.payload)


def committing(session: Session, committing: bool) -> Received:
    return next_received(
        session,
        lambda e: e.topic.startswith("alpr/1/host/") and decode(Host, e.payload).committing is committing,
        timeout_s=10,
    )


def test_a_record_that_is_announced_again_is_counted_as_again_and_committed_once(site: Site) -> None:
    worker = site.ingest()
    unhurried = Limits(again_ns=60 * SECOND_NS)  # a machine that stands still is no lost ack
    outbox, uplink = site.device(limits=unhurried)
    record = outbox.append("plate", a_pass("AB1"))
    assert uplink.wait_covered(20)
    until(lambda: worker.counters.committed == 2)  # with the epoch's opening
    assert worker.counters.again == 0
    for count in (1, 2, 3):
        uplink.tell(record, CLOCK.now().mono_ns)
        until(lambda count=count: worker.counters.again == count)
    assert worker.counters.committed == 2
    assert "committed 2, again 3" in worker.counters.line()


def test_every_record_that_is_appended_is_committed_once_and_acknowledged(site: Site) -> None:
    worker = site.ingest()
    outboxes = {}
    for name in ("north-1", "south-1"):
        outbox, uplink = site.device(name)
        outboxes[name] = (outbox, uplink)
        for n in range(1, 301):
            record = outbox.append("plate", a_pass(revision=n))
            if n % 10 == 0:
                uplink.tell(record, CLOCK.now().mono_ns)
        outbox.append("crops", a_crop(90_000))
    for name, (outbox, uplink) in outboxes.items():
        assert uplink.wait_covered(20)
        assert site.committed(outbox, name) == list(range(1, 303))
    assert worker.counters.committed == 604
    assert worker.counters.troubles == {}
    assert site.seen.names() == site.seen.covered_names()


def test_a_store_restored_from_an_older_copy_is_filled_again(site: Site, tmp_path: Path) -> None:
    first = site.ingest()
    outbox, uplink = site.device()
    outbox.append("plate", a_pass(revision=1))
    assert uplink.wait_covered(10)
    site.end_of(first)
    shutil.copy(site.path, tmp_path / "backup.db")
    second = site.ingest()
    for n in range(2, 40):
        outbox.append("plate", a_pass(revision=n))
    assert uplink.wait_covered(20)
    site.end_of(second)
    shutil.copy(tmp_path / "backup.db", site.path)
    assert len(site.committed(outbox)) < 39
    site.ingest()
    uplink.stop()
    _, again = site.device(outbox=outbox)  # a reconnect: the device asks, and the answer replaces what it believed
    until(lambda: site.committed(outbox) == list(range(1, 41)), 20)
    assert again.wait_covered(10)


def test_while_the_database_is_locked_nobody_commits_and_afterwards_everything_is_there(site: Site) -> None:
    worker = site.ingest()
    listener = site.listener(topics.every_host())
    committing(listener, True)
    outbox, uplink = site.device()
    assert uplink.wait_covered(10)
    other = sqlite3.connect(site.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for n in range(1, 51):
        outbox.append("plate", a_pass(revision=n))
    committing(listener, False)
    assert "locked by another program" in worker.trouble
    other.execute("ROLLBACK")
    other.close()
    committing(listener, True)
    assert uplink.wait_covered(20)
    assert site.committed(outbox) == list(range(1, 52))


def test_while_a_transaction_takes_long_one_more_gathers_and_no_more_than_that(site: Site) -> None:
    store = Held(site.path)
    worker = site.ingest(store=store)
    outbox, uplink = site.device()
    for n in range(1, 5_001):
        outbox.append("plate", a_pass(revision=n % 1000 + 1))
    try:
        assert store.begun.wait(20)
        until(lambda: uplink.stats.filled_back >= 1_500, 40)
        until(lambda: worker.waiting[0] > BATCH_RECORDS, 20)
        assert worker.counters.committed == 0
        assert worker.waiting[0] <= 2 * BATCH_RECORDS + LARGEST_MESSAGE
    finally:
        store.go.set()
    assert uplink.wait_covered(40)
    assert site.committed(outbox) == list(range(1, 5_002))
    assert worker.counters.turned_away == 0


def test_a_stop_does_not_wait_for_a_transaction_that_hangs_and_acknowledges_nothing_of_it(site: Site) -> None:
    store = Held(site.path)
    worker = site.ingest(store=store)
    listener = site.listener(topics.every_host())
    outbox, uplink = site.device()
    outbox.append("plate", a_pass())
    try:
        assert store.begun.wait(20)
        worker.stop()
        assert worker.join(10), "the thread that hears ended, though the store's still waits"
        committing(listener, False)
        assert outbox.depth().committed == 0
    finally:
        store.go.set()
    assert store.done.wait(20)
    site.ingest(slot="2")
    assert uplink.wait_covered(20)


def test_a_stop_in_the_middle_of_a_backlog_loses_nothing(site: Site) -> None:
    worker = site.ingest()
    outbox, uplink = site.device()
    assert uplink.wait_covered(20)
    for n in range(1, 1_001):
        outbox.append("plate", a_pass(revision=n))
    until(lambda: worker.counters.committed > 1)
    worker.stop()
    assert worker.counters.committed <= len(site.committed(outbox))
    assert site.seen.names() == site.seen.covered_names()
    site.ingest(slot="2")
    assert uplink.wait_covered(20)
    assert site.committed(outbox) == list(range(1, 1_002))


def test_broken_rotten_future_and_foreign_messages_harm_nothing(site: Site) -> None:
    worker = site.ingest()
    outbox, uplink = site.device()
    assert uplink.wait_covered(10)
    stranger = site.listener(topics.ack("stranger"))
    rotten = bytearray(a_record(2).frame)
    rotten[-1] ^= 1
    mixed = encode(Backfill(records=(a_record(1).frame, bytes(rotten), a_record(3, type="hologram", body=b"?").frame)))
    topic = topics.backfill("stranger")
    for payload in (b"", b"\xc1", b"\x81\xa7version\x02", bytes(200_000), mixed):
        until(lambda payload=payload: stranger.publish(topic, payload, qos=1))
    outbox.append("plate", a_pass())
    assert uplink.wait_covered(10)
    ack = next_ack(stranger, "stranger")
    assert [each.covered for each in ack.covered] == [((1, 1), (3, 3))]
    assert worker.counters.troubles == {"ProtocolError": 3, "UnknownVersion": 1, "rotten": 1}
    assert site.seen.rows("SELECT device, seq FROM quarantine") == [("stranger", 3)]


def test_a_copied_identity_is_told_of_its_clash_and_overwrites_nothing(site: Site) -> None:
    worker = site.ingest()
    stranger = site.listener(topics.ack("stranger"))
    topic = topics.backfill("stranger")
    for plate in ("FIRST", "OTHER"):
        payload = encode(Backfill(records=(a_record(1, body=a_pass(plate)).frame,)))
        until(lambda payload=payload: stranger.publish(topic, payload, qos=1))
    ack = next_ack(stranger, "stranger", lambda ack: ack.clash)
    assert [each.covered for each in ack.clash] == [((1, 1),)]
    assert worker.counters.clashes == 1
    assert [text for *_, text in site.seen.plates()] == ["FIRST"]


def test_an_answer_above_the_brokers_limit_keeps_nobody_elses_ack_waiting(
    make_mosquitto: MakeMosquitto, tmp_path: Path
) -> None:
    site = Site(make_mosquitto(lines=("max_packet_size 3000",)).broker, tmp_path)
    try:
        worker = site.ingest()
        devices = site.listener(topics.ack("patchy"), topics.ack("south-1"))

        def told(device: str, body: Backfill) -> None:
            until(lambda: devices.publish(topics.backfill(device), encode(body), qos=1))

        patchy = [a_record(seq).frame for seq in range(1, 1201, 2)]  # 600 ranges of some 6 bytes
        for first in range(0, len(patchy), 5):
            told("patchy", Backfill(records=tuple(patchy[first : first + 5])))
        until(lambda: worker.counters.committed == len(patchy), 20)
        epochs = (EpochEnd(epoch=a_record().epoch, last=1200),)
        told("patchy", Backfill(ask=Ask(nonce="0" * 32, epochs=epochs)))
        until(lambda: worker.counters.troubles.get("unsendable"))
        told("south-1", Backfill(records=(a_record(1).frame,)))
        next_ack(devices, "south-1")
    finally:
        site.end()


def test_ingest_says_that_it_commits_and_its_end_says_the_contrary(site: Site) -> None:
    worker = site.ingest("night")
    listener = site.listener(topics.host("night"))
    told = decode(Host, committing(listener, True).payload)
    assert (told.slot, told.store) == ("night", site.seen.rows("SELECT id FROM store")[0][0])
    began = time.monotonic()
    worker.stop()
    assert time.monotonic() - began < 2 * BUSY
    committing(listener, False)


def test_a_link_that_breaks_says_the_contrary_too(site: Site, make_proxy: Callable[[int], object]) -> None:
    proxy = make_proxy(site.broker.port)
    site.ingest(broker=Broker("127.0.0.1", proxy.port, backoff_s=0.05))  # type: ignore[attr-defined]
    listener = site.listener(topics.every_host())
    committing(listener, True)
    proxy.refuse()  # type: ignore[attr-defined]
    proxy.cut()  # type: ignore[attr-defined]
    committing(listener, False)
    proxy.refuse(False)  # type: ignore[attr-defined]
    committing(listener, True)


def test_two_workers_share_the_messages_and_commit_each_record_once(site: Site) -> None:
    workers = [site.ingest(slot, group="ingest") for slot in ("a", "b")]
    outbox, uplink = site.device()
    for n in range(1, 2_001):
        outbox.append("plate", a_pass(revision=n % 1000 + 1))
    assert uplink.wait_covered(40)
    assert site.committed(outbox) == list(range(1, 2_002))
    assert sum(worker.counters.committed for worker in workers) == 2_001
    assert all(worker.counters.committed for worker in workers)


def test_when_the_broker_is_killed_with_all_it_held_nothing_is_lost(
    make_mosquitto: MakeMosquitto, tmp_path: Path
) -> None:
    mosquitto = make_mosquitto()
    site = Site(mosquitto.broker, tmp_path)
    try:
        site.ingest()
        outbox, uplink = site.device()
        stop = threading.Event()

        def append() -> None:
            n = 0
            while not stop.wait(0.002):
                n += 1
                uplink.tell(outbox.append("plate", a_pass(revision=n % 1000 + 1)), CLOCK.now().mono_ns)

        thread = threading.Thread(target=append)
        thread.start()
        for _ in range(3):
            time.sleep(0.4)
            mosquitto.kill()
            mosquitto.start()
        stop.set()
        thread.join()
        assert uplink.wait_covered(20)
        assert site.committed(outbox) == list(range(1, outbox.depth().appended + 1))
    finally:
        site.end()
