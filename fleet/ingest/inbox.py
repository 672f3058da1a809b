"""What came in and is not committed yet: bounded, deduplicated questions, the counters of what was no use."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field

from platefleet.fleet.ingest.counters import Counters
from platefleet.fleet.ingest.quarantine import examine
from platefleet.fleet.store.port import Arrival, Batch, GoneTold
from platefleet.protocol.codec import decode
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import Ask, Backfill, Gone, LivePlate, LiveStatus

LOG = logging.getLogger(__name__)

RECORDS_MOST = 8_192
BYTES_MOST = 16 * 1024 * 1024
"""While the store is away; what finds no place is not acknowledged, and its device sends it again."""
QUESTIONS_MOST = 10_000
BATCH_RECORDS = 512
BATCH_BYTES = 2 * 1024 * 1024
"""One transaction: a fsync is shared by many records, and a stop waits for no more than one."""
GONE_BYTES = 64


@dataclass
class Inbox:
    """Records and gone ranges in order of arrival, and the newest question of each device."""

    counters: Counters
    questions: dict[str, Ask] = field(default_factory=dict)
    size_bytes: int = 0
    _waiting: deque[tuple[Arrival | GoneTold, int]] = field(default_factory=deque)
    _handed_out: int = 0
    _handed_out_bytes: int = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def behind(self) -> int:
        """How many wait behind what was handed out."""
        return len(self._waiting) - self._handed_out

    @property
    def enough(self) -> bool:
        """Whether a transaction's worth waits behind what was handed out."""
        return self.behind >= BATCH_RECORDS or self.size_bytes - self._handed_out_bytes >= BATCH_BYTES

    def take(self, device: str, kind: str, payload: bytes, received_utc_ns: int) -> None:
        """Take a message of `device` from `up/plate`, `up/fleet` or `up/backfill` (`kind`).

        Whatever is wrong with it is counted and harms nothing else in it.
        """
        try:
            message = _open(kind, payload)
        except ProtocolError as error:
            self.counters.wrong(type(error).__name__, f"a message of {device} on up/{kind}: {error}")
            return
        for frame in message.records:
            self._take_frame(device, frame, received_utc_ns)
        for each in message.gone:
            self._take_gone(device, each, received_utc_ns)
        if message.ask is not None:
            self._take_question(device, message.ask)

    def batch(self) -> Batch:
        """Return the oldest transaction's worth; it stays here until `committed`."""
        return self._oldest()[0]

    def hand_out(self) -> Batch:
        """Return the same, and count as waiting only what comes after it, until `take_back`."""
        batch, self._handed_out_bytes = self._oldest()
        self._handed_out = len(batch.arrivals) + len(batch.gone)
        return batch

    def take_back(self) -> None:
        """Count everything as waiting: what was handed out is durable soon, or tried again."""
        self._handed_out = self._handed_out_bytes = 0

    def committed(self, batch: Batch) -> None:
        """Let go of the batch that `batch` returned: it is durable."""
        for _ in range(len(batch.arrivals) + len(batch.gone)):
            self.size_bytes -= self._waiting.popleft()[1]

    def _oldest(self) -> tuple[Batch, int]:
        """Return the oldest transaction's worth and its bytes."""
        arrivals: list[Arrival] = []
        gone: list[GoneTold] = []
        total = 0
        for each, size in self._waiting:
            some = len(arrivals) + len(gone)
            if some >= BATCH_RECORDS or (some and total + size > BATCH_BYTES):
                break
            total += size
            if isinstance(each, Arrival):
                arrivals.append(each)
            else:
                gone.append(each)
        return Batch(tuple(arrivals), tuple(gone)), total

    def _take_frame(self, device: str, frame: bytes, received_utc_ns: int) -> None:
        try:
            arrival = examine(device, frame, received_utc_ns)
        except ProtocolError as error:
            self.counters.wrong("rotten", f"a record of {device}: {error}")
            return
        self._put(arrival)

    def _take_gone(self, device: str, gone: Gone, received_utc_ns: int) -> None:
        if gone.last < gone.first:
            self.counters.wrong("backwards", f"a gone range of {device}: {gone.first} to {gone.last} is no range")
            return
        self._put(GoneTold(device, gone, received_utc_ns))

    def _take_question(self, device: str, ask: Ask) -> None:
        if device in self.questions or len(self.questions) < QUESTIONS_MOST:
            self.questions[device] = ask
        else:
            self.counters.turned_away += 1

    def _put(self, what: Arrival | GoneTold) -> None:
        if len(self._waiting) >= RECORDS_MOST or self.size_bytes >= BYTES_MOST:
            self.counters.turned_away += 1
            return
        size = len(what.record.frame) if isinstance(what, Arrival) else GONE_BYTES
        self._waiting.append((what, size))
        self.size_bytes += size


def _open(kind: str, payload: bytes) -> Backfill:
    """Return a message of any of the three kinds as the backfill that it amounts to. Raises ProtocolError."""
    match kind:
        case "plate":
            return Backfill(records=(decode(LivePlate, payload).record,))
        case "fleet":
            return Backfill(records=(decode(LiveStatus, payload).record,))
        case _:
            return decode(Backfill, payload)
