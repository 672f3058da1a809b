"""A small gate controller of its own code, right in every point, with a switch for each way to be wrong.

It shares only the wire with `platefleet gate run`, so that what the kit finds in it is found by the kit alone.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable
from typing import Any

import msgpack

from platefleet.protocol import topics
from platefleet.protocol.clock import MILLISECOND_NS, SECOND_NS, SystemClock
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.delivery.frame import open_body, thaw
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import Beat, LivePlate, PlateEvent
from platefleet.protocol.session import Broker, Received, Session
from tests.conformance.trying import AGE_LIMIT_MS

CLOCK = SystemClock()
LANE = "lane-1"
SAME_CAR_NS = 15 * SECOND_NS


class Controller:
    """One device, one lane, a list. `wrong` names what is broken; `kill` forgets what is not in `acted`."""

    def __init__(
        self, broker: Broker, device: str, *, listed: frozenset[str], lift: Callable[[str], None], wrong: str = ""
    ) -> None:
        self.acted: set[str] = set()
        self._name, self._broker, self._device = f"gate-of-{device}", broker, device
        self._listed, self._lift, self._wrong = listed, lift, wrong
        self._begin()

    def _begin(self) -> None:
        kinds = ["backfill", "plate"] if self._wrong == "backfill" else ["plate"]
        wanted = [(topics.build(kind, self._device), 1) for kind in kinds]
        if self._wrong == "any device":
            wanted = [(topics.every("plate"), 1)]
        self._session = Session(self._name, self._broker, clock=CLOCK, subscriptions=wanted)
        self._sent: dict[int, int] = {}
        self._n = random.randrange(1, 2**40)
        self._left: set[str] = set()
        self._judged: set[str] = set()
        self._opened_ns: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._session.start()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5)
        self._session.stop()

    def restart(self) -> None:
        self.stop()
        if self._wrong == "forgets":
            self.acted.clear()
        self._begin()

    def _run(self) -> None:
        beat_ns = 0
        while not self._stop.is_set():
            now_ns = CLOCK.now().mono_ns
            if now_ns >= beat_ns:
                beat_ns = now_ns + (3 if self._wrong == "slow beats" else 1) * SECOND_NS
                self._n += 1
                body = encode(Beat(gate=self._name, n=self._n))
                if self._session.publish(topics.beat(self._device), body) is not None:
                    self._sent[self._n] = now_ns
            event = self._session.next_event(0.05)
            if isinstance(event, Received):
                if self._wrong == "dies" and event.payload.startswith(b"\xc1"):
                    return
                with contextlib.suppress(ProtocolError, ValueError, TypeError, KeyError, IndexError):
                    self._on(event)

    def _on(self, received: Received) -> None:
        parsed = topics.parse(received.topic)
        if parsed.kind == "backfill":
            for frame in msgpack.unpackb(received.payload)["records"]:
                self._judge(frame, 0)
            return
        if received.retained and self._wrong != "device's age":  # opens, before its restart or after it
            return
        live = decode(LivePlate, self._any_version(received.payload))
        self._judge(live.record, self._age_ms(live))

    def _any_version(self, payload: bytes) -> bytes:
        if self._wrong != "version":
            return payload
        body = msgpack.unpackb(payload)
        packed: bytes = msgpack.packb({**body, "version": 1})
        return packed

    def _age_ms(self, live: LivePlate) -> int | None:
        heard = live.heard.get(self._name)
        sent_ns = None if heard is None else self._sent.get(heard.n)
        if self._wrong == "device's age":
            return live.age_ms
        if heard is None or sent_ns is None:
            return None
        way_ms = (CLOCK.now().mono_ns - sent_ns) // MILLISECOND_NS - heard.held_ms
        return (0 if self._wrong == "no own age" else live.age_ms) + max(0, way_ms)

    def _judge(self, frame: bytes, age_ms: int | None) -> None:
        if self._wrong == "rotten":
            body: Any = decode(PlateEvent, msgpack.unpackb(frame)[4])
        else:
            body = open_body(thaw(frame))
        if not isinstance(body, PlateEvent):
            return
        now_ns = CLOCK.now().mono_ns
        key = f"{body.pass_id}/{body.revision}" if self._wrong == "each revision" else body.pass_id
        if body.final and self._wrong != "final":
            self._left.add(body.pass_id)
            return
        late = age_ms is None or age_ms >= AGE_LIMIT_MS
        if self._wrong == "late stands" and late:
            self._judged.add(body.pass_id)
        lane = self._wrong == "any lane" or body.lane == LANE
        away = body.direction == "receding" and self._wrong != "receding"
        unread = body.unread is not None and self._wrong != "unread"
        over = body.pass_id in self._left or body.pass_id in self._judged or key in self.acted
        if late or away or unread or over or not lane or body.text not in self._listed:
            return
        last_ns = self._opened_ns.get(body.text)
        if self._wrong == "no same car" or last_ns is None or now_ns - last_ns >= SAME_CAR_NS:
            self.acted.add(key)
            self._opened_ns[body.text] = now_ns
            self._lift(body.text)
