"""A small ingest of its own code, right in every point, with a switch for each way to be wrong.

Its database is a dictionary that outlives `restart`, as a disk does; what it has not put there is lost then.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import defaultdict

import msgpack

from platefleet.protocol import topics
from platefleet.protocol.clock import MILLISECOND_NS, SystemClock
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.delivery.coverage import merge
from platefleet.protocol.delivery.frame import Record, freeze, open_body, thaw
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import Ack, Answer, Ask, Backfill, EpochCoverage, LivePlate, LiveStatus
from platefleet.protocol.session import Announcement, Broker, Received, Session, host_of, presence_of

CLOCK = SystemClock()
EVERY_NS = 500 * MILLISECOND_NS
LAZY_NS = 3_000 * MILLISECOND_NS
Name = tuple[str, str, int]


class Ingest:
    """Serves the devices named. `wrong` names what is broken."""

    def __init__(self, broker: Broker, devices: tuple[str, ...], *, wrong: str = "") -> None:
        self.database: dict[Name, bytes] = {}
        """Digest by name; empty for what is gone."""
        self._broker, self._devices, self._wrong = broker, devices, wrong
        self._begin()

    def _begin(self) -> None:
        wanted = [(topics.build(kind, d), 1) for d in self._devices for kind in ("plate", "fleet", "backfill")]
        name = f"ingest-of-{self._devices[0]}"
        said: Announcement = presence_of(name) if self._wrong == "no host" else host_of(name, "store-1")
        self._session = Session(name, self._broker, clock=CLOCK, subscriptions=wanted, announcement=said)
        self._late: list[tuple[int, Name, bytes]] = []
        self._covered: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        self._clash: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        self._questions: dict[str, Ask] = {}
        self._told_ns = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._session.start()
        self._thread.start()

    def serves(self) -> bool:
        return self._session.health().state == "online"

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5)
        self._session.stop()

    def restart(self) -> None:
        self.stop()
        self._begin()

    def _run(self) -> None:
        while not self._stop.is_set():
            event = self._session.next_event(0.05)
            if isinstance(event, Received):
                if self._wrong == "dies" and event.payload.startswith(b"\xc1"):
                    return
                parsed = topics.parse(event.topic)
                with contextlib.suppress(ProtocolError, ValueError, TypeError, KeyError, IndexError, AttributeError):
                    if parsed.client is not None:
                        self._on(parsed.client, parsed.kind, event.payload)
            now_ns = CLOCK.now().mono_ns
            self.database.update({name: digest for due_ns, name, digest in self._late if due_ns <= now_ns})
            self._late = [each for each in self._late if each[0] > now_ns]
            if now_ns - self._told_ns >= EVERY_NS or self._wrong == "an ack each":
                self._told_ns = now_ns
                self._tell()

    def _on(self, device: str, kind: str, payload: bytes) -> None:
        if self._wrong == "version":
            payload = msgpack.packb({**msgpack.unpackb(payload), "version": 1})
        if kind == "backfill":
            message = decode(Backfill, payload)
        else:
            live = decode(LivePlate, payload) if kind == "plate" else decode(LiveStatus, payload)
            message = Backfill(records=(live.record,))
        records = []
        for frame in message.records:
            with contextlib.nullcontext() if self._wrong == "spoils the batch" else contextlib.suppress(ProtocolError):
                records.append(self._thawed(frame))
        for record in records:
            self._take(device, record, live=kind != "backfill")
        for gone in message.gone if self._wrong != "no gone" else ():
            for seq in range(gone.first, gone.last + 1):
                self.database.setdefault(self._name(device, gone.epoch, seq), b"")
                self._covered[device][gone.epoch].add(seq)
        if message.ask is not None:
            self._questions[device] = message.ask

    def _thawed(self, frame: bytes) -> Record:
        if self._wrong == "rotten":
            epoch, seq, kind, _, body = msgpack.unpackb(frame)
            return freeze(epoch.hex(), seq, kind, body)
        return thaw(frame)

    def _take(self, device: str, record: Record, *, live: bool) -> None:
        if self._wrong == "no quarantine":
            open_body(record)
        name = self._name(device, record.epoch, record.seq)
        there = {**self.database, **{late: digest for _, late, digest in self._late}}
        known = there.get(name, record.digest)
        again = name in there
        if known not in {record.digest, b""} and self._wrong != "no clash":
            self._clash[device][record.epoch].add(record.seq)
        if again and known == record.digest and self._wrong == "duplicate":
            self._clash[device][record.epoch].add(record.seq)
        if self._wrong == "acks first" and not again:
            self._late.append((CLOCK.now().mono_ns + LAZY_NS, name, record.digest))
        elif not (again and self._wrong != "last stays") and not (live and self._wrong == "live is lost"):
            self.database[name] = record.digest
        self._covered[device][record.epoch].add(record.seq)
        if self._wrong == "covers too much":
            self._covered[device][record.epoch] |= set(range(1, record.seq + 2))

    def _name(self, device: str, epoch: str, seq: int) -> Name:
        return "" if self._wrong == "one device" else device, epoch, seq

    def _tell(self) -> None:
        for device in self._devices:
            ask = self._questions.pop(device, None)
            covered, clash = (each.pop(device, defaultdict(set)) for each in (self._covered, self._clash))
            if ask is not None or covered or clash:
                answer = None if ask is None else self._answer(device, ask)
                ack = Ack(store="store-1", covered=_told(covered), clash=_told(clash), answer=answer)
                if self._session.publish(topics.ack(device), encode(ack), qos=1) is None:  # too many are in flight
                    self._covered[device], self._clash[device] = covered, clash
                    if ask is not None:
                        self._questions[device] = ask

    def _answer(self, device: str, ask: Ask) -> Answer:
        whose = self._name(device, "", 0)[0]
        pending = {name for _, name, _ in self._late}
        there = {
            end.epoch: {seq for d, epoch, seq in (*self.database, *pending) if (d, epoch) == (whose, end.epoch)}
            for end in ask.epochs
        }
        nonce = os.urandom(16).hex() if self._wrong == "nonce" else ask.nonce
        return Answer(nonce=nonce, epochs=_told(there))


def _told(epochs: dict[str, set[int]]) -> tuple[EpochCoverage, ...]:
    return tuple(
        EpochCoverage(epoch=epoch, covered=merge((seq, seq) for seq in seqs)) for epoch, seqs in epochs.items()
    )
