"""What was sent and is not yet known to be committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from platefleet.protocol.delivery.effects import Entry, Key
from platefleet.protocol.messages import EpochCoverage


@dataclass(slots=True)
class _Sent:
    entry: Entry
    first_ns: int
    last_ns: int
    times: int
    riding: bool  # the broker has not acknowledged its message yet


@dataclass
class Outstanding:
    """Sent records by name, ordered by when they were sent last.

    usual_ns: time from sending a record to the store's ack, a running mean over records sent once.
    """

    size_bytes: int = 0
    usual_ns: int | None = None
    resent: int = 0
    _sent: dict[Key, _Sent] = field(default_factory=dict)

    def __contains__(self, key: Key) -> bool:
        return key in self._sent

    def __len__(self) -> int:
        return len(self._sent)

    def add(self, entry: Entry, now_ns: int) -> None:
        """Note that it was handed to the session."""
        sent = self._sent.pop(entry.key, None)
        if sent is None:
            self.size_bytes += entry.size_bytes
            sent = _Sent(entry, now_ns, now_ns, 0, True)
        else:
            self.resent += 1
        sent.last_ns, sent.times, sent.riding = now_ns, sent.times + 1, True
        self._sent[entry.key] = sent

    def taken(self, key: Key) -> None:
        """Note that the broker acknowledged its message; from now on it may be due again."""
        sent = self._sent.get(key)
        if sent is not None:
            sent.riding = False

    def drop(self, key: Key) -> None:
        """Forget it, for whatever reason."""
        sent = self._sent.pop(key, None)
        if sent is not None:
            self.size_bytes -= sent.entry.size_bytes

    def committed(self, covered: Sequence[EpochCoverage], now_ns: int) -> None:
        """Note that the store has these."""
        for epoch in covered:
            for first, last in epoch.covered:
                if last - first < len(self._sent):
                    keys = [(epoch.epoch, seq) for seq in range(first, last + 1)]
                else:
                    keys = [key for key in self._sent if key[0] == epoch.epoch and first <= key[1] <= last]
                for key in keys:
                    self._learn(key, now_ns)
                    self.drop(key)

    def due(self, now_ns: int, again_ns: int) -> tuple[list[Entry], int | None]:
        """Return what is to be sent again now, and when the next one will be (None: none is waiting)."""
        due: list[Entry] = []
        for sent in self._sent.values():
            if sent.riding:
                continue
            if sent.last_ns + again_ns > now_ns:
                return due, sent.last_ns + again_ns
            due.append(sent.entry)
        return due, None

    def _learn(self, key: Key, now_ns: int) -> None:
        sent = self._sent.get(key)
        if sent is not None and sent.times == 1:
            took_ns = now_ns - sent.first_ns
            self.usual_ns = took_ns if self.usual_ns is None else self.usual_ns + (took_ns - self.usual_ns) // 8
