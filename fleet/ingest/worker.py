"""Ingest: one thread hears the session, decodes and acknowledges, while another waits for the database."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

from platefleet.fleet.ingest.acks import Acks
from platefleet.fleet.ingest.commit import Committer
from platefleet.fleet.ingest.counters import Counters
from platefleet.fleet.ingest.hand_over import HandOver
from platefleet.fleet.ingest.inbox import Inbox
from platefleet.fleet.store.port import Store
from platefleet.protocol import topics
from platefleet.protocol.clock import MILLISECOND_NS, SECOND_NS, Clock
from platefleet.protocol.codec import encode
from platefleet.protocol.errors import ProtocolError, SessionError
from platefleet.protocol.session import (
    Announcement,
    Broker,
    Connected,
    Disconnected,
    ForeignIncarnation,
    Received,
    Refused,
    Session,
    host_of,
)

LOG = logging.getLogger(__name__)

KINDS = ("plate", "fleet", "backfill")
LINGER_NS = 20 * MILLISECOND_NS
"""How long the first record of a transaction waits for company: an fsync takes 4 ms, and an ack is not urgent."""
EVENTS_A_TURN = 512
WAIT_S = 0.25
STATUS_NS = 60 * SECOND_NS
COMMIT_ENDS_S = 0.6
"""How long a stop waits for the transaction that is under way, before one last; usually it takes some 30 ms."""
ACKS_IN_FLIGHT = 200
"""After a broker's restart every device is answered at once."""
HAND_OFF = 2_000
"""Messages between the network's thread and ours: at 64 KiB each 128 MiB at the very most; live ones are 4 KiB."""


def ingest_session(client: str, broker: Broker, slot: str, store: Store, *, clock: Clock, group: str = "") -> Session:
    """Return the session that `Ingest` works with: its birth and will are `host/{slot}`.

    group: the name under which several workers share the messages, empty for one worker that gets all.
    """
    filters = [topics.every(kind) for kind in KINDS]
    wanted = [(topics.shared(group, each) if group else each, 1) for each in filters]
    said: Announcement = host_of(slot, store.id)
    broker = replace(broker, in_flight=max(broker.in_flight, ACKS_IN_FLIGHT))
    return Session(client, broker, clock=clock, subscriptions=wanted, announcement=said, queue_size=HAND_OFF)


class Ingest:
    """Commits what devices tell, for the life of the program. `start`, then `stop`; `counters` may be read any time.

    Owns its session and its threads, not the store. Every record's device is taken from the topic, which the broker
    guards, never from a body. One batch is at the store while the next one gathers; behind that nothing is taken from
    the session. While the store is away memory stays bounded, `host` says that nobody commits, and what found no place
    is sent again by its device.
    """

    def __init__(self, session: Session, store: Store, *, clock: Clock) -> None:
        """`session`: from `ingest_session`."""
        self.counters = Counters()
        self._session = session
        self._clock = clock
        self._inbox = Inbox(self.counters)
        self._acks = Acks(store.id)
        self._committer = Committer(
            store, self._inbox, self._acks, self.counters, clock=clock, announce=session.announce
        )
        self._store = HandOver(self._committer.storing.perform, name="ingest store", told=session.wake)
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._first_ns: int | None = None
        self._status_ns = clock.now().mono_ns
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)

    @property
    def waiting(self) -> tuple[int, int]:
        """How many records wait to be committed, and their bytes: bounded, whatever the store does."""
        return len(self._inbox), self._inbox.size_bytes

    @property
    def trouble(self) -> str:
        """Why nothing is committed, one sentence; empty while commits succeed."""
        return self._committer.trouble

    def start(self) -> None:
        """Connect and begin to commit. Returns at once."""
        self._session.start()
        self._store.start()
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Commit and acknowledge what is here, say that nobody commits, and leave. Calling it again does nothing."""
        self._stop.set()
        self._session.wake()
        if self._thread.is_alive():
            self._thread.join(timeout_s / 2)
        self._session.stop(timeout_s / 2)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the thread; return whether it ended."""
        return self._ended.wait(timeout_s)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._guarded_turn()
            if self._store.stop(COMMIT_ENDS_S):
                self._take_back()
                self._committer.turn()
            self._tell()
        finally:
            self._ended.set()

    def _guarded_turn(self) -> None:
        try:
            self._turn()
        except Exception:
            LOG.exception("ingest: a fault of this program; going on")
            self.counters.wrong("fault", "ingest: a fault of this program")
            self._stop.wait(WAIT_S)

    def _turn(self) -> None:
        if self._store.busy and self._inbox.enough:
            self._take_back(self._wait_s())
        else:
            self._hear()
            self._take_back()
        now_ns = self._clock.now().mono_ns
        if self._first_ns is None and self._inbox.behind:
            self._first_ns = now_ns
        lingered = self._first_ns is None or now_ns - self._first_ns >= LINGER_NS
        if not self._store.busy and (lingered or self._inbox.enough or self._inbox.questions):
            task = self._committer.begin()
            if task is not None:
                self._store.give(task)
            self._first_ns = now_ns if self._inbox.behind else None
        self._tell()
        self._status(now_ns)

    def _hear(self) -> None:
        """Take events until there are none, a transaction's worth is here, or the store is done with the last one."""
        event = self._session.next_event(self._wait_s())
        for _ in range(EVENTS_A_TURN):
            if event is None:
                break
            self._on(event)
            if self._inbox.enough or self._store.ready:
                break
            event = self._session.next_event(0)

    def _take_back(self, timeout_s: float = 0.0) -> None:
        """Take what came of the last task, if it is done or becomes so within the time."""
        try:
            outcome = self._store.take(timeout_s)
        except Exception:
            self._committer.give_up()
            raise
        if outcome is not None:
            self._committer.finish(outcome)

    def _on(self, event: object) -> None:
        match event:
            case Received(topic, payload, retained):
                self._received(topic, payload, retained)
            case Connected():
                LOG.info("ingest: connected as %s", self._session.client)
            case Disconnected(reason):
                self._acks.disconnected()
                LOG.warning("ingest: disconnected: %s", reason)
            case ForeignIncarnation():
                self.counters.wrong(
                    "foreign", f"another ingest runs as {self._session.client}; give one of the two another --slot"
                )
            case Refused():
                self.counters.count("refused")  # the session has logged why

    def _received(self, topic: str, payload: bytes, retained: bool) -> None:
        try:
            parsed = topics.parse(topic)
        except ProtocolError as error:
            self.counters.wrong("topic", f"a message on {topic[:80]!a}: {error}")
            return
        if parsed.kind not in KINDS or parsed.client is None:
            return  # our own host message, which the session reads
        self.counters.received += 1
        if retained:
            self.counters.wrong(
                "retained", f"a retained message of {parsed.client} on up/{parsed.kind}; nobody owns it"
            )
            return
        self._inbox.take(parsed.client, parsed.kind, payload, self._clock.now().utc_ns)

    def _tell(self) -> None:
        now_ns = self._clock.now().mono_ns
        for device, ack in self._acks.due(now_ns):
            try:
                sent = self._session.publish(topics.ack(device), encode(ack), qos=1) is not None
            except (SessionError, ProtocolError) as error:  # above a limit: nobody else's ack may wait for it
                self.counters.wrong("unsendable", f"an ack of {device} is left out: {error}")
                self._acks.told(device, now_ns)
                continue
            if not sent:
                self.counters.unsent += 1
                return  # not connected, or too much in flight: it stays due
            self._acks.told(device, now_ns)
            self.counters.acks += 1
            self.counters.left_out = self._acks.left_out

    def _wait_s(self) -> float:
        """Return how long to wait for an event or the store: until the batch, an ack or the next attempt is due."""
        now_ns = self._clock.now().mono_ns
        waits = [WAIT_S]
        if not self._store.busy and (self._inbox or self._inbox.questions):
            patience_ns = 0 if self._first_ns is None else self._first_ns + LINGER_NS - now_ns
            waits.append(max(patience_ns, self._committer.wait_ns()) / SECOND_NS)
        due_ns = self._acks.next_ns()
        if due_ns is not None and self._session.room():
            waits.append((due_ns - now_ns) / SECOND_NS)
        return max(0.0, min(waits))

    def _status(self, now_ns: int) -> None:
        if now_ns - self._status_ns >= STATUS_NS:
            self._status_ns = now_ns
            LOG.info("ingest: %s%s", self.counters.line(), f"; {self.trouble}" if self.trouble else "")
