"""The uplink: owns the session's events, sends what `Next` decides, and learns what the store has."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace

from platefleet.protocol import topics
from platefleet.protocol.age import HeardBeats
from platefleet.protocol.clock import MILLISECOND_NS, SECOND_NS, Clock
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.delivery.acks import Acks
from platefleet.protocol.delivery.effects import Entry, Key, Limits, Rest, SendAsk, SendBatch, Sending, SendLive
from platefleet.protocol.delivery.frame import Record
from platefleet.protocol.delivery.hosts import Hosts
from platefleet.protocol.delivery.next import Next
from platefleet.protocol.delivery.outbox import Outbox
from platefleet.protocol.delivery.stats import UplinkStats
from platefleet.protocol.errors import ProtocolError, SessionError
from platefleet.protocol.messages import Ack, Backfill, Beat, Host, LivePlate, LiveStatus, Message
from platefleet.protocol.session import NO_SUBSCRIBER, Connected, Disconnected, Event, Published, Received, Session

LOG = logging.getLogger(__name__)
PAGE = 512
"""Records of the backlog that are looked at together, and events between two decisions."""
GONE_TOLD = 512
"""Ranges told with a question; halved where the broker's limit is too small for them."""
TURN = 256
"""Messages handed over between two looks at what came in."""
PLATE_EXPIRY_S = 10
STATUS_EXPIRY_S = 60
IDLE_S, FULL_S = 5.0, 1.0
"""The longest wait for something to do, which any of it ends, and for room in a session that others fill too."""
TOLD_MOST = 256
"""Tells that wait for the uplink's thread, and records of theirs that it remembers."""


class Uplink:
    """Sends an outbox's records until the store has them, and live copies while they are young enough.

    `start`, `stop`, `tell`, `send`, `stats` and `wait_covered` may be called from any thread. Other topics than acks,
    beats and hosts go to `on_message`, other events than traffic to `on_event`, both on the uplink's thread.
    """

    def __init__(
        self,
        session: Session,
        outbox: Outbox,
        *,
        clock: Clock,
        live_limit_ms: int = 10_000,
        on_message: Callable[[Received], None] | None = None,
        on_event: Callable[[Event], None] | None = None,
        store: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        """`store`: the id of the one store that is believed; None: the first heard. The session must not be started."""
        self._session = session
        self._outbox = outbox
        self._clock = clock
        self._on_message = on_message
        self._on_event = on_event
        chosen = limits or Limits(live_limit_ns=live_limit_ms * MILLISECOND_NS)
        self._next = Next(chosen)
        self._hosts = Hosts()
        self._beats = HeardBeats()
        self._gone_told = 0
        self._tell_gone = GONE_TOLD
        self._stats = UplinkStats()
        self._acks = Acks(outbox, self._next, self._stats, store=store)
        self._told: OrderedDict[Key, tuple[Record, int]] = OrderedDict()
        self._live_records: OrderedDict[Key, Record] = OrderedDict()
        self._lock = threading.Lock()
        self._covered = threading.Condition()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        me = session.client
        self._ack_topic, self._beat_topic = topics.ack(me), topics.beat(me)
        self._hosts_prefix = topics.every_host().removesuffix("+")
        self._live_topics = {"plate": topics.plate(me), "status": topics.fleet(me)}
        self._backfill = topics.backfill(me)
        session.subscribe([(self._ack_topic, 1), (self._beat_topic, 0), (topics.every_host(), 1)])
        outbox.listen(session.wake)

    def start(self) -> None:
        """Start the session if that was not done yet, and the uplink's thread."""
        self._session.start()
        self._thread = threading.Thread(target=self._run, name=f"uplink {self._session.client}", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the thread, then the session in order. What is not committed stays in the outbox."""
        self._stop.set()
        self._session.wake()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._session.stop(timeout_s)

    def tell(self, record: Record, seen_mono_ns: int) -> None:
        """Send this record's live copy now, with the age that it has when it leaves. Never blocks.

        seen_mono_ns: when its vehicle was last seen (`Instant.mono_ns`). The same record told again while it waits only
        renews that. The record must be in the outbox: what cannot be told live in time is filled back.
        """
        with self._lock:
            self._told[record.key] = record, seen_mono_ns
            if len(self._told) > TOLD_MOST:
                self._told.popitem(last=False)
                self._stats.displaced += 1
        self._session.wake()

    def send(self, topic: str, message: Message, qos: int = 0, retain: bool = False) -> bool:
        """Send health or progress now or not at all; return whether it went. Retained ones are owned from now on."""
        if retain:
            self._session.retain(topic, encode(message))
            return True
        return self._session.publish(topic, encode(message), qos=qos) is not None

    @property
    def stats(self) -> UplinkStats:
        """Return a copy of the counts as they are now."""
        depth, todo = self._outbox.depth(), self._next
        return replace(
            self._stats,
            late=todo.live.late,
            displaced=self._stats.displaced + todo.live.displaced,
            resent=todo.outstanding.resent,
            denied=todo.denied,
            committed=depth.committed,
            gone=depth.gone,
            renamed=depth.renamed,
            appended=depth.appended,
            waiting=depth.waiting,
            waiting_bytes=depth.waiting_bytes,
        )

    def wait_covered(self, timeout_s: float) -> bool:
        """Wait until the store has every record that was appended; return whether it has."""
        with self._covered:
            return self._covered.wait_for(lambda: self._outbox.depth().waiting == 0, timeout_s)

    # The uplink's thread.

    def _run(self) -> None:
        while not self._stop.is_set():
            self._turn()

    def _turn(self) -> None:
        try:
            self._hear(self._send())
        except Exception:  # a bug, or a callback's; the thread that owns the session's events goes on
            self._stats.faults += 1
            LOG.exception("uplink %s: a fault of this program; it goes on", self._session.client)
            self._stop.wait(0.1)

    def _send(self) -> float:
        """Send what is to be sent; return how long there is nothing more to do, in seconds."""
        gone = self._outbox.depth().gone
        if gone != self._gone_told:
            self._gone_told = gone
            self._next.on_gone()
        self._next.on_appended()
        for _ in range(TURN):  # then events are heard again, whatever there is to send
            self._take_told()
            if self._next.wanted():
                page = self._outbox.waiting(self._next.position, PAGE)
                self._next.on_backlog(page, last=len(page) < PAGE)
            now_ns = self._clock.now().mono_ns
            effect = self._next.decide(now_ns)
            match effect:
                case Rest(until_ns):
                    return IDLE_S if until_ns is None else min(max((until_ns - now_ns) / SECOND_NS, 0.001), IDLE_S)
                case _ if not self._hand_over(effect, now_ns):
                    return FULL_S
        return 0.001

    def _take_told(self) -> None:
        with self._lock:
            told, self._told = self._told, OrderedDict()
        for key, (record, seen_ns) in told.items():
            self._stats.told += 1
            if record.type not in self._live_topics or self._outbox.standing(key) == "gone":
                continue
            self._live_records[key] = record
            self._live_records.move_to_end(key)
            while len(self._live_records) > TOLD_MOST:
                self._live_records.popitem(last=False)
            self._next.live.tell(Entry(*key, len(record.frame)), seen_ns)

    def _hand_over(self, sending: Sending, now_ns: int) -> bool:
        """Give it to the session; return whether there may be room for more."""
        covered = False
        try:
            match sending:
                case SendLive(entry):
                    token = self._hand_over_live(self._live_records[entry.key], sending.seen_mono_ns, now_ns)
                    covered = self._outbox.standing(entry.key) == "covered"
                    self._stats.live += token is not None
                case SendBatch(entries):
                    records = [self._outbox.read(entry.key) for entry in entries]
                    missing = [entry.key for entry, record in zip(entries, records, strict=True) if record is None]
                    if missing:
                        self._vanished(missing)
                        return True
                    frames = tuple(record.frame for record in records if record is not None)
                    token = self._session.publish(self._backfill, encode(Backfill(records=frames)), qos=1)
                    self._stats.filled_back += len(frames) if token is not None else 0
                case SendAsk():
                    token = self._ask()
        except SessionError as error:
            LOG.warning("uplink %s: %s", self._session.client, error)
            if isinstance(sending, SendAsk):
                self._tell_gone = max(1, self._tell_gone // 2)
            self._set_aside(self._next.on_too_large(sending, now_ns))
            return True
        if token is not None:
            self._next.on_sent(token, sending, now_ns, covered=covered)
        return token is not None

    def _hand_over_live(self, record: Record, seen_ns: int, now_ns: int) -> int | None:
        age_ms = max(0, -((seen_ns - now_ns) // MILLISECOND_NS))
        body: Message
        expiry_s = PLATE_EXPIRY_S if record.type == "plate" else STATUS_EXPIRY_S
        if record.type == "plate":
            heard = self._beats.report(now_ns)
            body = LivePlate(age_ms=age_ms, heard=heard, record=record.frame)
        else:
            body = LiveStatus(age_ms=age_ms, record=record.frame)
        return self._session.publish(self._live_topics[record.type], encode(body), qos=1, expiry_s=expiry_s)

    def _ask(self) -> int | None:
        ask = self._acks.question()
        body = Backfill(gone=self._outbox.gone(self._tell_gone), ask=ask)
        token = self._session.publish(self._backfill, encode(body), qos=1)
        if token is not None:
            self._acks.asked = ask
            self._stats.asked += 1
        return token

    def _hear(self, timeout_s: float) -> None:
        event = self._session.next_event(timeout_s)
        heard = 0
        while event is not None:
            self._on(event)
            heard += 1
            event = self._session.next_event(0) if heard < PAGE else None

    def _on(self, event: Event) -> None:
        now_ns = self._clock.now().mono_ns
        match event:
            case Published(token, code, ok):
                self._next.on_published(token, ok=ok, nobody=code == NO_SUBSCRIBER, now_ns=now_ns)
                return
            case Received():
                self._on_received(event, now_ns)
                return
            case Connected():
                self._hosts.forget()
                self._acks.forget()
                self._next.on_connected(now_ns, self._session.room())
            case Disconnected(_, by_peer):
                self._set_aside(self._next.on_disconnected(now_ns, by_peer=by_peer))
        if self._on_event is not None:
            self._on_event(event)

    def _on_received(self, received: Received, now_ns: int) -> None:
        topic = received.topic
        try:
            if topic == self._ack_topic:
                self._acks.heard(decode(Ack, received.payload), now_ns)
                with self._covered:
                    self._covered.notify_all()
            elif topic == self._beat_topic:
                self._beats.heard(decode(Beat, received.payload), received.received_mono_ns)
            elif topic.startswith(self._hosts_prefix):
                if received.payload:
                    host = decode(Host, received.payload)
                    self._hosts.heard(host)
                    born = host.committing and not received.retained
                    self._next.on_hosts(nobody=self._hosts.nobody(), born=born, now_ns=now_ns)
            elif self._on_message is not None:
                self._on_message(received)
        except ProtocolError as error:
            self._stats.malformed += 1
            LOG.warning("uplink %s: %s: %s", self._session.client, topic, error)

    def _set_aside(self, keys: Iterable[Key]) -> None:
        for key in keys:
            LOG.error("uplink %s: record %s/%d cannot be sent and is set aside", self._session.client, *key)
            self._outbox.set_aside(key, "unsendable")
            self._stats.unsendable += 1
            self._vanished([key])

    def _vanished(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._next.on_vanished(key)
            self._live_records.pop(key, None)
