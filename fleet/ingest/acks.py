"""What is told to devices and when: acks gathered for half a second, the first at once. Pure: moments are handed in.

An ack only adds to what a device believes covered, so whatever is dropped here is repaired by the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.delivery.coverage import merge
from platefleet.protocol.messages import Ack, Answer, EpochCoverage

EVERY_NS = SECOND_NS // 2
"""At most two acks a second for a device (its usual time from sending to ack stays far below its 5 s of patience)."""
DEVICES_MOST = 10_000
EPOCHS_MOST = 256
"""Of one device in one ack (`Ack.covered`)."""
RANGES_MOST = 1024
"""Of one device in one ack: about 20 KiB."""


@dataclass
class _Pending:
    covered: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    clash: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    answer: Answer | None = None


@dataclass
class Acks:
    """What each device is still to be told. store: the store's id. Bounded; `left_out` counts what did not fit."""

    store: str
    left_out: int = 0
    _pending: dict[str, _Pending] = field(default_factory=dict)
    _told_ns: dict[str, int] = field(default_factory=dict)

    def committed(self, covered: Mapping[str, Iterable[EpochCoverage]]) -> None:
        """Take ranges that are durable now."""
        for device, epochs in covered.items():
            pending = self._of(device)
            if pending is not None:
                self._add(pending.covered, epochs)

    def clash(self, device: str, epoch: str, seq: int) -> None:
        """Take a name under which the store has another record than the device."""
        pending = self._of(device)
        if pending is not None:
            self._add(pending.clash, [EpochCoverage(epoch=epoch, covered=((seq, seq),))])

    def answer(self, device: str, answer: Answer) -> None:
        """Take the answer to the device's newest question; an older one is dropped."""
        pending = self._of(device)
        if pending is not None:
            pending.answer = answer

    def disconnected(self) -> None:
        """Drop the answers: questions end with the connection, and the devices ask again."""
        for device, pending in list(self._pending.items()):
            pending.answer = None
            if not pending.covered and not pending.clash:
                del self._pending[device]

    def due(self, now_ns: int) -> Iterator[tuple[str, Ack]]:
        """Yield what may be told now, by device, each made when its turn comes. What `told` does not name stays."""
        for device in [device for device, at_ns in self._told_ns.items() if now_ns - at_ns >= EVERY_NS]:
            del self._told_ns[device]
        for device in [device for device in self._pending if device not in self._told_ns]:
            yield device, self._ack(self._pending[device])

    def told(self, device: str, now_ns: int) -> None:
        """Forget the device's due ack: it was handed to the session."""
        del self._pending[device]
        self._told_ns[device] = now_ns

    def next_ns(self) -> int | None:
        """Return when something becomes due; None when nothing is waiting."""
        waiting = [self._told_ns.get(device, -EVERY_NS) for device in self._pending]
        return min(waiting) + EVERY_NS if waiting else None

    def _of(self, device: str) -> _Pending | None:
        if device not in self._pending and len(self._pending) >= DEVICES_MOST:
            self.left_out += 1
            return None
        return self._pending.setdefault(device, _Pending())

    def _add(self, into: dict[str, list[tuple[int, int]]], epochs: Iterable[EpochCoverage]) -> None:
        for each in epochs:
            if each.epoch not in into and len(into) >= EPOCHS_MOST:
                self.left_out += 1
                continue
            merged = merge([*into.get(each.epoch, ()), *each.covered])
            room = RANGES_MOST - sum(len(ranges) for epoch, ranges in into.items() if epoch != each.epoch)
            self.left_out += max(0, len(merged) - room)
            into[each.epoch] = list(merged[-room:]) if room > 0 else []

    def _ack(self, pending: _Pending) -> Ack:
        return Ack(
            store=self.store,
            covered=_coverage(pending.covered),
            clash=_coverage(pending.clash),
            answer=pending.answer,
        )


def _coverage(ranges: Mapping[str, Iterable[tuple[int, int]]]) -> tuple[EpochCoverage, ...]:
    return tuple(EpochCoverage(epoch=epoch, covered=tuple(covered)) for epoch, covered in ranges.items() if covered)
