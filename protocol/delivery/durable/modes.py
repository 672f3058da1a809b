"""Whether the disk or memory is written to, and the thread that works on the disk.

    durable ──refused, or slower than `slow_s`──▶ volatile: a new epoch in memory, named so, counted, a problem
    volatile ──the disk takes and syncs again──▶ durable: what is in memory is written, and a new epoch names it

A start whose database takes longer to be checked than `start_s` is volatile too, with the notes that it has, until it
has been checked.

One thread of its own works on the disk, and the others wait for it so long and no longer. Reads and acks go past it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.delivery.durable.adopting import Adoption
from platefleet.protocol.delivery.durable.disk import DiskOutbox
from platefleet.protocol.delivery.durable.job import Claim, Jobs, Left
from platefleet.protocol.delivery.durable.opening import NOTHING_FOUND, leave, lock, look, open_disk
from platefleet.protocol.delivery.durable.reading import Settings
from platefleet.protocol.delivery.durable.refused import DiskRefused
from platefleet.protocol.delivery.memory import QUOTA_BYTES, QUOTA_RECORDS, MemoryOutbox
from platefleet.protocol.errors import OutboxError
from platefleet.protocol.process_lock import ProcessLock

LOG = logging.getLogger(__name__)
T = TypeVar("T")
Otherwise = TypeVar("Otherwise")
SLOW_S = 2.0
"""An SD card may be busy with itself for half a second; a barrier cannot wait longer than this."""
LOOK_S = 120.0
"""A start without the notes costs more than a late one, and they are there at once unless the disk hangs."""
START_S = 2.0
"""Checking a large database takes its time (0.5 GB: 6 to 14 s), and cars come meanwhile."""
RETRY_S = (1.0, 60.0)
"""The first pause before the disk is tried again, doubled up to the second."""


class DiskOrMemory:
    """The one switch. `_switch` guards it, and is never held while the disk is written to."""

    def __init__(
        self,
        path: Path,
        use: Settings,
        *,
        slow_s: float = SLOW_S,
        retry_s: tuple[float, float] = RETRY_S,
        start_s: float = START_S,
    ) -> None:
        """Open it. Raises OutboxError if another process has it; whatever else is wrong is a problem, not an error."""
        self.path = path
        self._use = use
        self._slow_s = slow_s
        self._retry_s = retry_s
        self._pause_s = retry_s[0]
        self._switch = threading.RLock()
        self._disk: DiskOutbox | None = None
        self._memory: MemoryOutbox | None = None
        self._grown = 0
        self._anew = True
        self._refusal = ""
        self._damage = ""
        self._fallbacks = self._volatile_records = 0
        self._found = NOTHING_FOUND
        self._checking = self._leaving = self._left = self._closed = False
        self._listeners: list[Callable[[], None]] = []
        self._jobs = Jobs()
        self._lock: ProcessLock | None = None
        try:
            self._lock = lock(path)
        except DiskRefused as error:
            self._fall_back(error)
        self._thread = threading.Thread(target=self._work, name=f"outbox {path.name}", daemon=True)
        self._thread.start()
        if self._lock is not None:
            self._start(start_s)

    def close(self) -> None:
        """End it: what is believed is written, the thread ends, another process may open it.

        What is in memory alone goes to the disk if that takes it by now.
        """
        with self._switch:
            if self._closed:
                return
            self._closed = True
            self._leaving = self._checking and self._memory is not None
        if self._leaving:  # the check goes on for as long as it takes, and nobody waits for it
            leaving = threading.Thread(target=self._leave, name=f"{self._thread.name} end", daemon=True)
            leaving.start()
            leaving.join(self._slow_s)
        self._jobs.end()
        self._thread.join(0 if self._leaving else self._slow_s)
        memory = self._memory
        if memory is not None and memory.depth().waiting and not self._left:
            LOG.error("%s: %d records were in memory alone and end with it", self.path, memory.depth().waiting)
        if not self._thread.is_alive():
            self._end()

    def _end(self) -> None:
        """Give back what it has open; the thread works no more."""
        if self._disk is not None:
            self._disk.close()
        if self._lock is not None:
            self._lock.release()

    # Disk or memory.

    def _written(self) -> DiskOutbox | MemoryOutbox:
        """Return what is written to. Under `_switch`."""
        written = self._memory or self._disk
        assert written is not None
        return written

    @contextmanager
    def _in_memory(self) -> Iterator[MemoryOutbox | None]:
        """Give what is in memory, which stays there meanwhile."""
        with self._switch:
            if self._memory is not None:
                yield self._memory
                return
        yield None

    def _from_disk(self, look: Callable[[DiskOutbox], T], otherwise: Otherwise) -> T | Otherwise:
        """Return what the disk has to say, or `otherwise` where it fails: then it is not written to either."""
        disk = self._disk
        if disk is None:
            return otherwise
        try:
            return look(disk)
        except DiskRefused as error:
            self._fall_back(error)
            return otherwise

    def _write(
        self, on_disk: Callable[[DiskOutbox], Callable[[Claim], T]], in_memory: Callable[[MemoryOutbox], T]
    ) -> T:
        """Have it written. on_disk: returns what the thread is to do with this disk."""
        while True:
            with self._switch:
                if self._closed:
                    raise OutboxError(f"{self.path}: the outbox is closed; nothing is kept any more.")
                memory, disk = self._memory, self._disk
                if memory is not None:
                    self._grown += 1
                    return in_memory(memory)
            assert disk is not None
            try:
                return self._wait_for(on_disk(disk), self._slow_s)
            except DiskRefused as error:
                self._fall_back(error)

    def _wait_for(self, action: Callable[[Claim], T], timeout_s: float) -> T:
        """Have the thread do it. Raises DiskRefused when that takes longer than is waited for."""
        try:
            return self._jobs.do(action, timeout_s)
        except Left:
            raise DiskRefused(f"{self.path}: the disk took more than {timeout_s:g} s; check it.", again=False) from None

    def _heard(self) -> None:
        for appended in self._listeners:
            appended()

    def _start(self, start_s: float) -> None:
        """Open the database; in memory with its notes until it is checked, if that takes longer."""
        try:
            self._found = self._wait_for(lambda _: look(self.path), LOOK_S)
            self._jobs.do(self._open, start_s)
        except DiskRefused as error:
            self._fall_back(error)
        except Left:
            self._fall_back(DiskRefused(f"{self.path}: the database is still being checked.", again=False))

    def _fall_back(self, error: OutboxError) -> None:
        """Write to memory from now on."""
        with self._switch:
            self._refusal = str(error)
            self._anew |= isinstance(error, DiskRefused) and error.again
            if self._memory is not None:
                return
            LOG.error("%s Records are kept in memory from now on.", error)
            disk = self._disk
            memory = MemoryOutbox(
                clock=self._use.clock,
                quota_bytes=min(QUOTA_BYTES, self._use.quota_bytes),
                quota_records=min(QUOTA_RECORDS, self._use.quota_records),
                previous=self._found.epochs if disk is None else disk.epochs(),
                clock_state=self._use.clock_state,
            )
            memory.keep(self._found.notes if disk is None else disk.kept())
            self._memory = memory
            self._pause_s = self._retry_s[0]
            self._fallbacks += 1
        self._jobs.wake()

    # The thread that works on the disk.

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.next(None if self._memory is None or self._leaving else self._pause_s)
            except queue.Empty:
                if not self._leaving:
                    self._retry()
                continue
            if job is None:
                if self._leaving:
                    self._end()
                elif self._memory is not None:
                    self._retry()
                return
            job()

    def _open(self, _: Claim) -> None:
        """Open the database, and begin an epoch unless memory has one; whatever of it succeeds can be read."""
        with self._switch:
            memory, old = self._memory, self._disk
            self._checking = memory is None
        without = [] if memory is None else [end.epoch for end in memory.epochs()]
        try:
            disk, damage = open_disk(self.path, self._use, without=without)
        finally:
            self._checking = False
        with self._switch:
            self._disk = disk
            self._anew = False
            self._damage = damage or self._damage
            memory = self._memory  # by now
        if old is not None:  # it could be read until now
            old.abandon()
        if memory is None:
            disk.begin_epoch()

    def _leave(self) -> None:
        memory = self._memory
        assert memory is not None
        try:
            leave(self.path, self._use, memory)
        except OutboxError as error:
            LOG.error("%s", error)
            return
        self._left = True

    def _retry(self) -> None:
        """Go back to the disk if it takes records again; try later otherwise."""
        try:
            if self._lock is None:
                self._lock = lock(self.path)
            if self._anew:
                self._open(lambda: True)
            self._check()
            self._go_back()
        except OutboxError as error:
            self._refused_again(error)
        except Exception as error:  # a bug; whoever waits at a barrier goes on in memory, and it is said
            LOG.exception("%s: a fault of this program; its records stay in memory", self.path)
            self._refused_again(DiskRefused(f"{self.path}: a fault of this program ({error!r}).", again=True))

    def _refused_again(self, error: OutboxError) -> None:
        self._fall_back(error)
        self._pause_s = min(self._pause_s * 2, self._retry_s[1])

    def _check(self) -> None:
        """Raise DiskRefused unless the disk takes something and syncs it in time."""
        disk = self._disk
        assert disk is not None
        began_ns = self._use.clock.now().mono_ns
        disk.check()
        if self._use.clock.now().mono_ns - began_ns > self._slow_s * SECOND_NS:
            raise DiskRefused(f"{self.path}: the disk took more than {self._slow_s:g} s; check it.", again=False)

    def _go_back(self) -> None:
        disk, memory = self._disk, self._memory
        assert disk is not None
        assert memory is not None
        adoption = Adoption(disk, memory)
        while True:
            grown = self._grown
            adoption.write()
            with self._switch:
                if grown != self._grown:
                    continue
                self._anew = True  # until it is done
                adoption.finish()
                self._anew = False
                self._volatile_records += memory.depth().appended
                self._memory = None
                self._refusal = ""
            LOG.warning("%s: the disk takes records again; %d came from memory", self.path, memory.depth().waiting)
            self._heard()
            return
