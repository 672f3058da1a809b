"""The console's service: sends what operators signed until devices answer, and takes down what they say.

It holds no private key. It may be stopped and started at any moment, and run once only: who sends is whoever has the
session `console` at the broker.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from platefleet.fleet.console.book import Book
from platefleet.fleet.console.due import Due
from platefleet.fleet.store.errors import Unstorable
from platefleet.protocol import topics
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.codec import decode
from platefleet.protocol.delivery.frame import thaw
from platefleet.protocol.errors import ProtocolError, SessionError, StoreError
from platefleet.protocol.messages import CommandStatus, Health, Info, LiveStatus, Presence, Progress
from platefleet.protocol.session import Connected, Disconnected, Event, Received, Session

LOG = logging.getLogger(__name__)
HEARD = ("fleet", "presence", "info")
"""Topics that matter; progress and health beside them are told at QoS 0."""
TURN = 400
"""Messages taken down in one transaction."""
DUE_MOST = 200
"""Commands sent between two looks at what came in."""
LOOK_NS = SECOND_NS // 20
"""How often the database is asked whether an operator wrote something: one indexed query."""
RETAINED_NS = 2 * SECOND_NS
EXPIRE_NS = 10 * SECOND_NS
WAIT_S = 0.05


@dataclass
class _Heard:
    """What came since the last transaction; of progress and health only the newest counts."""

    statuses: list[tuple[str, CommandStatus]] = field(default_factory=list)
    presence: list[tuple[str, Presence]] = field(default_factory=list)
    infos: dict[str, Info] = field(default_factory=dict)
    health: dict[str, Health] = field(default_factory=dict)
    progress: dict[str, Progress] = field(default_factory=dict)


class Console:
    """`start` and `stop` once. A database that is away is waited for: devices tell their states again when asked."""

    def __init__(
        self,
        session: Session,
        book: Book,
        *,
        clock: Clock,
        on_health: Callable[[str, Health, int], None] = lambda _device, _health, _now: None,
        on_presence: Callable[[str, Presence, int], None] = lambda _device, _presence, _now: None,
        chores: Sequence[Callable[[int], None]] = (),
    ) -> None:
        """on_health, on_presence: are shown what came. chores: called about once a second with the time, UTC ns."""
        self._session, self._book, self._clock = session, book, clock
        self._on_health, self._on_presence, self._chores = on_health, on_presence, tuple(chores)
        self.counts: Counter[str] = Counter()
        self._heard = _Heard()
        self._looked_ns = self._retained_ns = self._expired_ns = self._chored_ns = 0
        self._retained: dict[str, bytes] = {}
        self._trust: bytes | None = None
        self._all_again = True
        self._said = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        session.subscribe(
            [*((topics.every(kind), 1) for kind in HEARD), (topics.every("progress"), 0), (topics.every("health"), 0)]
        )

    def start(self) -> None:
        """Begin."""
        self._session.start()
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End in order."""
        self._stop.set()
        self._session.wake()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._session.stop(timeout_s)

    def line(self) -> str:
        """Return what was done so far, in one line."""
        return ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items())) or "nothing yet"

    def _run(self) -> None:
        while not self._stop.is_set():
            self._safely()

    def _safely(self) -> None:
        try:
            self._turn()
            if self._said:
                LOG.info("console: the database is there again")
                self._said = ""
        except StoreError as error:
            if str(error) != self._said:
                self._said = str(error)
                LOG.error("%s (trying again)", error)
            self._stop.wait(0.5)
        except Exception:  # a bug must not end the only thread that sends commands
            self.counts["faults"] += 1
            LOG.exception("console: a fault of this program; it goes on")
            self._stop.wait(0.5)

    def _turn(self) -> None:
        self._write(self._clock.now().utc_ns)  # what a database that was away refused, before more is taken
        event = self._session.next_event(WAIT_S)
        taken = 0
        while event is not None:
            self._on(event)
            taken += 1
            event = self._session.next_event(0) if taken < TURN else None
        now = self._clock.now()
        self._write(now.utc_ns)
        if self._session.health().state != "online":
            return
        if self._all_again:
            self._book.again(None, now.utc_ns)
            self._all_again = False
            self._retained_ns = 0
        if now.mono_ns - self._retained_ns >= RETAINED_NS or not self._retained_ns:
            self._retained_ns = now.mono_ns
            self._retain()
        if now.mono_ns - self._looked_ns >= LOOK_NS or taken:
            self._looked_ns = now.mono_ns
            self._send(now.utc_ns)
        if now.mono_ns - self._expired_ns >= EXPIRE_NS:
            self._expired_ns = now.mono_ns
            self.counts["expired"] += self._book.expire(now.utc_ns)
            self.counts["pruned"] += self._book.prune(now.utc_ns)
        if now.mono_ns - self._chored_ns >= SECOND_NS:
            self._chored_ns = now.mono_ns
            for chore in self._chores:
                chore(now.utc_ns)

    def _on(self, event: Event) -> None:
        match event:
            case Connected():
                self._all_again = True
                LOG.info("console: connected as %s", self._session.client)
            case Disconnected(reason):
                LOG.warning("console: not connected: %s", reason)
            case Received():
                try:
                    self._received(event)
                except ProtocolError as error:
                    self.counts["malformed"] += 1
                    LOG.warning("console: %s: %s", event.topic, error)
            case _:
                pass

    def _received(self, received: Received) -> None:
        topic = topics.parse(received.topic)
        name, heard = topic.client or "", self._heard
        if not received.payload:
            return
        match topic.kind:
            case "fleet":
                record = thaw(decode(LiveStatus, received.payload).record)
                heard.statuses.append((name, decode(CommandStatus, record.body)))
            case "progress":
                progress = decode(Progress, received.payload)
                heard.progress[progress.command] = progress
            case "presence":
                heard.presence.append((name, decode(Presence, received.payload)))
            case "info":
                info = decode(Info, received.payload)
                if info.device == name:
                    heard.infos[name] = info
            case "health":
                heard.health[name] = decode(Health, received.payload)
            case _:
                pass

    def _write(self, now_ns: int) -> None:
        """Take down what came. What a database that is away refused is tried again, and grows no further meanwhile."""
        heard = self._heard
        if heard.statuses:
            self._write_statuses(now_ns)
        for name, info in list(heard.infos.items()):
            anew = self._book.heard_info(info, now_ns)
            if anew:
                LOG.warning("%s", anew)
            del heard.infos[name]
        while heard.presence:
            name, presence = heard.presence[0]
            if self._book.heard_presence(name, presence, now_ns):
                self.counts["births"] += 1
                self._book.again(name, now_ns)
            self._on_presence(name, presence, now_ns)
            heard.presence.pop(0)
        for name, health in list(heard.health.items()):
            self._book.heard_health(name, health, now_ns)
            self._on_health(name, health, now_ns)
            del heard.health[name]
        if heard.progress:
            self._book.heard_progress(heard.progress, now_ns)
            heard.progress = {}

    def _write_statuses(self, now_ns: int) -> None:
        """Take statuses down together; one that the database can never hold is set aside, and harms no other."""
        statuses = self._heard.statuses
        try:
            self.counts["statuses"] += self._book.heard_statuses(statuses, now_ns)
        except Unstorable:
            for each in statuses:
                self._write_alone(each, now_ns)
        self._heard.statuses = []

    def _write_alone(self, status: tuple[str, CommandStatus], now_ns: int) -> None:
        try:
            self.counts["statuses"] += self._book.heard_statuses([status], now_ns)
        except Unstorable as error:
            self.counts["unstorable"] += 1
            LOG.error("a status of %s cannot be kept: %s", status[0], error)

    def _send(self, now_ns: int) -> None:
        sent: list[Due] = []
        for due in self._book.due(now_ns, DUE_MOST):
            try:
                if not self._publish(due, now_ns):
                    break  # the session is full; the rest is due still
            except SessionError as error:
                self.counts["unsendable"] += 1
                LOG.error("command %s: %s", due.id, error)
            sent.append(due)
        if sent:
            self._book.sent(sent, now_ns)
            self.counts["sent"] += len(sent)

    def _publish(self, due: Due, now_ns: int) -> bool:
        topic = topics.command(due.device)
        expiry_s = max(1, (due.not_after_ns - now_ns) // SECOND_NS)
        if due.cancel is not None:
            alone = due.answered or not due.envelope
            return self._session.publish(topic, due.cancel, qos=1, expiry_s=expiry_s) is not None and (
                alone or self._session.publish(topic, due.envelope, qos=1, expiry_s=expiry_s) is not None
            )
        return self._session.publish(topic, due.envelope, qos=1, expiry_s=expiry_s) is not None

    def _retain(self) -> None:
        """Let the broker keep each device's desired state and the newest trust; again on every connection."""
        states, trust = self._book.retained()
        for name, envelope in states.items():
            if self._retained.get(name) != envelope:
                self._session.retain(topics.desired(name), envelope)
        for name in self._retained.keys() - states.keys():
            self._session.retain(topics.desired(name), b"")  # retired, or set up anew since it was signed
        self._retained = states
        if trust is not None and trust != self._trust:
            self._session.retain(topics.trust(), trust)
            self._trust = trust
