"""What the broker honours, measured on a program's first connection: nobody reads a configuration file to us.

A broker may announce a thing and not do it, or do it and not announce it. So a few small messages go out under one's
own name, on topics that nobody else hears (`up/probe/…`), and what comes back is judged. Measured once a program; live
traffic goes on meanwhile. `Probe` is told what happened and when; what it sends goes through the port it is given.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from platefleet.protocol import topics
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.ids import new_epoch
from platefleet.protocol.session.events import Received
from platefleet.protocol.session.happened import Greeted

PACKET_NEEDED_BYTES = 140 * 1024
"""A frame of 132 KiB (`FRAME_LIMIT_BYTES`) with its envelope, topic and properties."""
IN_FLIGHT_NEEDED = 10
"""Fewer messages at once than this, and every round trip of a mobile link costs throughput."""
SHORT_S = 1
"""Life of the message that must be gone when it is asked for."""
KEPT_S = 60
ASK_NS = 3 * SECOND_NS
"""When it is asked for: brokers count whole seconds (LESSONS: Mosquitto does), so one to spare on each side."""
SETTLE_NS = SECOND_NS
"""What was asked for comes right behind the broker's answer to the question; so long it may take on its way."""
JUDGE_NS = 15 * SECOND_NS
"""When what has not come back is judged all the same: a link slower than this has other troubles."""
NOT_AUTHORIZED = 0x80
"""Reason codes from here on are refusals (source: MQTT 5, 2.4)."""


class Speaks(Protocol):
    """One connection, as far as the probe uses it. Both return an id, or None where it cannot be done now."""

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool, expiry_s: int | None) -> int | None:
        """Hand a message over; `acknowledged` will tell of it."""
        ...

    def subscribe(self, filters: list[tuple[str, int]]) -> int | None:
        """Ask for messages; `subscribed` will tell of it."""
        ...


@dataclass(frozen=True, slots=True)
class _Message:
    topic: str
    payload: bytes
    retain: bool
    expiry_s: int | None


@dataclass
class Observed:
    """What was seen. None: nothing was heard of it, so nothing is said about it.

    kept, outlived: whether the retained message came, and the one that had expired. counts_down: whether what came said
    how long it may still live. foreign: whether the broker took a message in another client's name. shared: copies of
    the message that a group of one was to get once.
    """

    packet_bytes: int
    in_flight: int
    kept: bool = False
    counts_down: bool = False
    outlived: bool = False
    asked: bool = False
    foreign: bool | None = None
    shared: int | None = None
    shared_refused: bool = False


def judge(seen: Observed) -> tuple[str, ...]:
    """Return a sentence for each thing that the broker does not honour, with the line of Mosquitto's that mends it.

    >>> judge(Observed(268435455, 20, kept=True, counts_down=True, asked=True, foreign=False))
    ()
    """
    found = []
    if seen.packet_bytes < PACKET_NEEDED_BYTES:
        found.append(
            f"the broker takes packets of {seen.packet_bytes} bytes at most, and a record needs "
            f"{PACKET_NEEDED_BYTES}; set `max_packet_size {2 * 128 * 1024}`"
        )
    if seen.in_flight < IN_FLIGHT_NEEDED:
        found.append(
            f"the broker takes {seen.in_flight} messages at once, which makes slow links slower; "
            "set `max_inflight_messages 20`"
        )
    if seen.asked and not seen.kept:
        found.append(
            "a client cannot read its own retained messages back, so retention and expiry cannot be measured; "
            "put `pattern readwrite alpr/1/%c/up/#` into the access list"
        )
    if seen.outlived or (seen.kept and not seen.counts_down):
        found.append(
            "the broker does not honour message expiry, so old messages pile up at it; use a broker that speaks MQTT 5 "
            "in full (Mosquitto 2 does)"
        )
    if seen.foreign:
        found.append(
            "the broker takes messages in another client's name, so any client can open barriers; set "
            "`allow_anonymous false`, `use_username_as_clientid true` and an `acl_file` (deploy/broker has one)"
        )
    if seen.shared_refused or (seen.shared is not None and seen.shared != 1):
        found.append(
            "the broker does not honour shared subscriptions, so workers of one group would each get everything or "
            "nothing; run one worker without --group, or another broker"
        )
    return tuple(found)


@dataclass
class Probe:
    """Measures one connection. For the session's thread. shared: also measure what ingest's groups need.

    result: None until judged; then `judge`'s sentences.
    """

    client: str
    shared: bool = False
    result: tuple[str, ...] | None = None
    _nonce: str = field(default_factory=new_epoch)
    _seen: Observed | None = None
    _todo: deque[_Message] = field(default_factory=deque)
    _sent_ns: int | None = None
    _foreign: int | None = None
    _group: int | None = None
    _ask: int | None = None
    _answered_ns: int | None = None
    _mine: set[int] = field(default_factory=set)

    def begin(self, speaks: Speaks, greeted: Greeted, now_ns: int) -> None:
        """Send the first messages on a connection that has just begun."""
        self._sent_ns = None
        self._mine.clear()
        self._foreign = self._group = self._ask = self._answered_ns = None
        self._seen = Observed(greeted.packet_limit_bytes, greeted.in_flight)
        nonce = self._nonce.encode()
        self._todo = deque(
            (
                _Message(self._topic("short"), nonce, True, SHORT_S),
                _Message(self._topic("kept"), nonce, True, KEPT_S),
                _Message(topics.progress(f"probe.{self._nonce[:8]}"), b"", False, SHORT_S),
            )
        )
        if self.shared:
            self._group = speaks.subscribe([(topics.shared(f"probe.{self._nonce[:8]}", self._topic("shared")), 1)])
        self.turn(speaks, now_ns)

    def turn(self, speaks: Speaks, now_ns: int) -> None:
        """Ask for what must be there and must be gone, then judge."""
        seen = self._seen
        if seen is None or (self.result is not None and not self._todo):
            return
        if not self._send_all(speaks):
            return
        if self._sent_ns is None:
            self._sent_ns = now_ns
        since_ns = now_ns - self._sent_ns
        if since_ns >= ASK_NS and not seen.asked:
            seen.asked = True
            if self.shared and seen.shared is None:
                seen.shared = 0
                self._todo.append(_Message(self._topic("shared"), self._nonce.encode(), False, KEPT_S))
            self._ask = speaks.subscribe([(self._topic("short"), 1), (self._topic("kept"), 1)])
        settled = self._answered_ns is not None and now_ns - self._answered_ns >= SETTLE_NS
        if self.result is None and (settled or since_ns >= JUDGE_NS):
            self._todo.extend(_Message(self._topic(name), b"", True, None) for name in ("short", "kept"))
            self.result = judge(seen)
        self._send_all(speaks)

    def acknowledged(self, mid: int, code: int) -> bool:
        """Take the broker's answer to a publish; return whether it was one of ours.

        An id that was answered is free: the next message that gets it, days later on the same connection, is not ours.
        """
        if mid not in self._mine:
            return False
        self._mine.remove(mid)
        if mid == self._foreign and self._seen is not None:
            self._seen.foreign = code < NOT_AUTHORIZED
        return True

    def subscribed(self, mid: int, codes: tuple[int, ...], now_ns: int) -> bool:
        """Take the broker's answer to a subscription; return whether it was one of ours."""
        if mid == self._group and self._seen is not None:
            self._seen.shared_refused = any(code >= NOT_AUTHORIZED for code in codes)
        if mid == self._ask:
            self._answered_ns = now_ns
        return mid in {self._group, self._ask}

    def received(self, received: Received) -> bool:
        """Take a message; return whether it was one of ours, and nobody else's business."""
        if not received.topic.startswith(self._topic("")):
            return False
        seen = self._seen
        if seen is not None and received.payload == self._nonce.encode():
            match received.topic.rpartition("/")[2]:
                case "kept":
                    seen.kept = True
                    seen.counts_down = received.expiry_s is not None and received.expiry_s < KEPT_S
                case "short":
                    seen.outlived = True
                case "shared":
                    seen.shared = (seen.shared or 0) + 1
        return True

    def _topic(self, name: str) -> str:
        return f"{topics.ROOT}/{self.client}/up/probe/{name}"

    def _send_all(self, speaks: Speaks) -> bool:
        """Send what waits for room; return whether nothing waits any more."""
        while self._todo:
            each = self._todo[0]
            mid = speaks.publish(each.topic, each.payload, qos=1, retain=each.retain, expiry_s=each.expiry_s)
            if mid is None:
                return False
            self._mine.add(mid)
            if not each.topic.startswith(self._topic("")):
                self._foreign = mid
            self._todo.popleft()
        return True
