"""What to send next: the decision, without clock, thread or socket.

Live first, always; then what the store does not have, oldest first. `Next` is told what happened and when; `decide`
answers with one thing to do, and `on_sent` tells it that this was done. What it holds is a belief about a link and a
store that may both forget everything; nothing rests on it but how often a record is sent. A record that is neither
covered nor outstanding always lies ahead in the backlog, so in the end it is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from platefleet.protocol.delivery import coverage
from platefleet.protocol.delivery.effects import Effect, Entry, Key, Limits, Rest, SendAsk, SendBatch, Sending, SendLive
from platefleet.protocol.delivery.live import Live
from platefleet.protocol.delivery.outstanding import Outstanding
from platefleet.protocol.delivery.pace import SMALL_BYTES, Pace, acknowledged, answered
from platefleet.protocol.messages import EpochCoverage

ALONE_FROM = 2
"""In flight at so many disconnects in a row, a record goes alone; at one more it is set aside."""


@dataclass(slots=True)
class _Message:
    sending: Sending
    at_ns: int
    entries: tuple[Entry, ...] = ()


class Next:
    """The sender's belief. Owned by one thread; every time is an `Instant.mono_ns`."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.live = Live(self.limits)
        self.outstanding = Outstanding()
        self.connected = False
        self.nobody_commits = False
        self.denied = 0
        self.pace = self._fresh_pace(self.limits.window_most)
        self._messages: dict[int, _Message] = {}
        self._suspects: dict[Key, int] = {}
        self._backlog: deque[Entry] = deque()
        self._after: Key | None = None
        self._exhausted = False
        self._asked_ns: int | None = None
        self._ask_at_ns = 0
        self._ask_pause_ns = 0
        self._ask_taken = False
        self._answered = False
        self._hold_until_ns = 0

    # What happened.

    def on_connected(self, now_ns: int, room: int) -> None:
        """Begin a connection on which `room` messages may be in flight: the store is asked before anything else.

        The pace starts afresh; until the answer, or for as long as a record waits for its ack, nothing is filled back.
        """
        self.connected = True
        self.pace = self._fresh_pace(max(1, min(self.limits.window_most, room - self.limits.live_most)))
        self._asked_ns = None
        self._ask_at_ns = now_ns
        self._ask_pause_ns = self.limits.again_ns
        self._ask_taken = False
        self._answered = False
        self.nobody_commits = False
        self._hold_until_ns = now_ns + self.limits.again_ns

    def on_disconnected(self, now_ns: int, *, by_peer: bool) -> tuple[Key, ...]:
        """End the connection and return the records to set aside: in flight at three ends in a row.

        Counted are ends made by the peer soon after it got the message. A link that we gave up ourselves proves
        nothing against what was in flight on it.
        """
        self.connected = False
        in_flight = list(self._messages.values())
        self._messages.clear()
        self._put_back(entry.key for message in in_flight for entry in message.entries)
        if not by_peer:
            return ()
        blamed = {e.key for m in in_flight if now_ns - m.at_ns <= self.limits.blame_ns for e in m.entries}
        counts = {key: self._suspects.get(key, 0) + 1 for key in blamed}
        self._suspects = {key: count for key, count in counts.items() if count <= ALONE_FROM}
        return tuple(key for key, count in counts.items() if count > ALONE_FROM)

    def on_appended(self) -> None:
        """Look again: the outbox took a record."""
        self._exhausted = False

    def on_sent(self, token: int, sending: Sending, now_ns: int, *, covered: bool = False) -> None:
        """Note that `sending` went out as the message `token`. covered: the store has that live record already."""
        match sending:
            case SendLive(entry):
                self.live.drop(entry.key)
                self._messages[token] = _Message(sending, now_ns, (entry,))
                if not covered and len(self.outstanding) < self.limits.outstanding_records:
                    self.outstanding.add(entry, now_ns)
            case SendBatch(entries):
                self._messages[token] = _Message(sending, now_ns, entries)
                for entry in entries:
                    self.outstanding.add(entry, now_ns)
                self._skip_outstanding()
            case SendAsk():
                self._messages[token] = _Message(sending, now_ns)
                self._asked_ns = now_ns
                self._postpone_ask(now_ns)

    def on_too_large(self, sending: Sending, now_ns: int) -> tuple[Key, ...]:
        """Let the records of a message above the broker's limit go alone; return what was alone, to be set aside.

        A question above the limit is asked again later, as if it had been sent; at once, it would be asked for ever.
        """
        if isinstance(sending, SendAsk):
            self._postpone_ask(now_ns)
        entries = sending.entries if isinstance(sending, SendBatch) else ()
        if isinstance(sending, SendLive):
            self.live.drop(sending.entry.key)
        if len(entries) == 1:
            return (entries[0].key,)
        self._suspects.update((entry.key, ALONE_FROM) for entry in entries)
        return ()

    def _postpone_ask(self, now_ns: int) -> None:
        self._ask_at_ns = now_ns + self._ask_pause_ns
        self._ask_pause_ns = min(self._ask_pause_ns * 2, self.limits.ask_every_ns)

    def on_published(self, token: int, *, ok: bool, nobody: bool, now_ns: int) -> None:
        """Take the broker's answer to a message. ok: it took it. nobody: it knows nobody who would receive it."""
        message = self._messages.pop(token, None)
        if message is None:
            return
        for entry in message.entries:
            self._suspects.pop(entry.key, None)
            self.outstanding.taken(entry.key)
        if isinstance(message.sending, SendAsk):
            self._ask_taken = True
            self.pace = answered(self.pace, now_ns - message.at_ns)
        elif isinstance(message.sending, SendBatch) and ok:
            self.pace = acknowledged(self.pace, now_ns - message.at_ns)
        self.denied += not ok
        if not ok or nobody:
            self._put_back(entry.key for entry in message.entries)
            if not isinstance(message.sending, SendLive):
                self._hold_until_ns = now_ns + self.limits.again_ns

    def on_committed(self, covered: Sequence[EpochCoverage], now_ns: int) -> None:
        """Note that the store has these records."""
        self.outstanding.committed(covered, now_ns)
        # What was told live and acknowledged before it had settled would otherwise be filled back too.
        known = {told.epoch: coverage.merge(told.covered) for told in covered}
        self._backlog = deque(e for e in self._backlog if not coverage.contains(known.get(e.epoch, ()), e.seq))

    def on_answered(self, now_ns: int, *, more: bool = False) -> None:
        """Begin the backlog at the oldest again: the answer to the newest ask replaced what the outbox believes.

        more: it left out something that is to be asked for at once.
        """
        self._ask_at_ns = now_ns if more else now_ns + self.limits.ask_every_ns
        self._ask_pause_ns = self.limits.again_ns
        self._answered = True
        self._hold_until_ns = now_ns
        self._rewind()

    def on_hosts(self, *, nobody: bool, born: bool, now_ns: int) -> None:
        """Note whether anybody commits. born: somebody has just begun to, so there is no more reason to wait."""
        begun = not nobody and (born or self.nobody_commits)
        self.nobody_commits = nobody
        if begun and self._answered:
            self._hold_until_ns = now_ns
        elif begun:
            self._ask_at_ns = now_ns

    def on_gone(self) -> None:
        """Tell with a question that the outbox lost records, though not more often than records are sent again."""
        if self._asked_ns is not None:
            self._ask_at_ns = min(self._ask_at_ns, self._asked_ns + self.limits.again_ns)

    def on_vanished(self, key: Key) -> None:
        """Forget a record that the outbox no longer has, or sends under another name."""
        self.outstanding.drop(key)
        self.live.drop(key)
        self._suspects.pop(key, None)
        self._backlog = deque(entry for entry in self._backlog if entry.key != key)

    def wanted(self) -> bool:
        """Return whether more of the backlog is wanted, from `position` on."""
        return self.connected and not self.nobody_commits and not self._backlog and not self._exhausted

    @property
    def position(self) -> Key | None:
        """Where the backlog was read up to; None: nothing yet."""
        return self._after

    def on_backlog(self, entries: Sequence[Entry], *, last: bool) -> None:
        """More of the backlog. last: nothing lies behind it yet."""
        self._backlog.extend(entries)
        if entries:
            self._after = entries[-1].key
        self._exhausted = last
        self._skip_outstanding()

    # The decision.

    def decide(self, now_ns: int) -> Effect:
        """Return the one thing to do now."""
        if not self.connected:
            return Rest()
        in_flight = {m.sending.entry.key for m in self._messages.values() if isinstance(m.sending, SendLive)}
        live = self.live.next(now_ns, in_flight)
        if live is not None and len(in_flight) < self.limits.live_most:
            return live
        if self.nobody_commits:
            return Rest()
        if now_ns >= self._ask_at_ns:
            return SendAsk()
        # A broker that does not even take a question is not given records to stumble over.
        hold_until_ns = self._hold_until_ns if self._ask_taken else self._ask_at_ns
        if now_ns < hold_until_ns:
            return Rest(min(hold_until_ns, self._ask_at_ns))
        return self._fill_back(now_ns)

    def _fill_back(self, now_ns: int) -> Effect:
        filling = [m for m in self._messages.values() if isinstance(m.sending, SendBatch)]
        if len(filling) >= self.pace.window or any(self._is_suspect(e) for m in filling for e in m.entries):
            return Rest(self._ask_at_ns)
        again_ns = max(self.limits.again_ns, 3 * (self.outstanding.usual_ns or 0))
        due, due_ns = self.outstanding.due(now_ns, again_ns)
        fresh, fresh_ns = self._unsent(now_ns)
        candidates = due + fresh
        plain = [entry for entry in candidates if not self._is_suspect(entry)]
        if plain:
            return SendBatch(self._fit(plain))
        if candidates and not filling:
            return SendBatch((candidates[0],))
        return Rest(min(at_ns for at_ns in (self._ask_at_ns, due_ns, fresh_ns) if at_ns is not None))

    def _unsent(self, now_ns: int) -> tuple[list[Entry], int | None]:
        """Return what was never sent, within what may be outstanding; and when the next one will have settled."""
        unsent: list[Entry] = []
        records, size = len(self.outstanding), self.outstanding.size_bytes
        for entry in self._backlog:
            if entry.key in self.outstanding:
                continue
            records, size = records + 1, size + entry.size_bytes
            if records > self.limits.outstanding_records or (size > self.limits.outstanding_bytes and records > 1):
                break
            if 0 <= now_ns - entry.appended_mono_ns < self.limits.settle_ns:
                return unsent, entry.appended_mono_ns + self.limits.settle_ns
            unsent.append(entry)
        return unsent, None

    def _fit(self, entries: list[Entry]) -> tuple[Entry, ...]:
        size = 0
        for count, entry in enumerate(entries[: self.limits.batch_records]):
            size += entry.size_bytes
            if count and size > self.pace.batch_bytes:
                return tuple(entries[:count])
        return tuple(entries[: self.limits.batch_records])

    def _fresh_pace(self, most: int) -> Pace:
        small_bytes = min(SMALL_BYTES, self.limits.batch_bytes)
        return Pace(most, batch_most_bytes=self.limits.batch_bytes, batch_bytes=small_bytes)

    def _is_suspect(self, entry: Entry) -> bool:
        return self._suspects.get(entry.key, 0) >= ALONE_FROM

    def _put_back(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.outstanding.drop(key)
        self._rewind()

    def _rewind(self) -> None:
        self._backlog.clear()
        self._after = None
        self._exhausted = False

    def _skip_outstanding(self) -> None:
        while self._backlog and self._backlog[0].key in self.outstanding:
            self._backlog.popleft()
