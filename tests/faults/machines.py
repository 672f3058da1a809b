"""The devices as machines: their power, their clocks and their cards, which are restored from copies and cloned."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from platefleet.deploy.simulate import committed
from platefleet.deploy.simulate.boots import Boot
from platefleet.deploy.simulate.child import Plan
from platefleet.deploy.simulate.compare import Book, Name
from platefleet.deploy.simulate.herd import Child
from platefleet.deploy.simulate.ledger import notes
from platefleet.protocol.clock import SECOND_NS
from tests.faults.clocked import Clocked

LEDGER, OUTBOXES = "ledger", "outbox"
STEPS_S = (-7200, -40, 30, 3600, 86_400)
SYNCED_S = (None, 0.0, 1.5, 4.0)
"""When a clock that was wrong at the start is set."""
WRONG_NS = SECOND_NS
"""What a store may be off that learnt a clock: processes are stopped between two looks at two clocks."""
ALARM = b"another machine has this identity"
BOOTS = "SELECT device, boot, utc_minus_mono_ns FROM boots"


@dataclass
class Copies:
    """What was copied at a fault and is put in place at a later one. names: what the outboxes had kept by then."""

    outboxes: Path | None = None
    names: frozenset[Name] = frozenset()
    store: Path | None = None

    def forget(self) -> None:
        self.outboxes = self.store = None


@dataclass
class Machines:
    """One process of devices, and at times a second one that has started from a copy of its cards.

    excused: records whose only copy was destroyed on purpose. boots: of each, UTC minus its monotonic time. stepped:
    boots in which somebody set the clock wrong afterwards.
    """

    plan: Plan
    folder: Path
    clock: Clocked
    environment: Mapping[str, str]
    copies: Copies = field(default_factory=Copies)
    excused: set[Name] = field(default_factory=set)
    boots: dict[str, int] = field(default_factory=dict)
    stepped: set[str] = field(default_factory=set)
    _child: Child | None = None
    _clone: Child | None = None
    _said_before: int = 0

    def start(self) -> None:
        """Start the process unless it runs; its wall clock is right, or what its boot makes it."""
        if self._child is None:
            self.plan = replace(self.plan, start=self.plan.start + 1)
            self._child = Child(self.plan, self.folder, environment=self.clock.environment() | self.environment)

    def kill(self) -> None:
        """End it without asking; what only its memory had is lost."""
        if self._child is None:
            return
        self._child.kill()
        self._child = None
        fleeting = self.book().fleeting
        if fleeting - self.excused:
            self.copies.forget()  # their only other copy may be in the store from now on
        self.excused |= fleeting

    def reboot(self, dice: float) -> None:
        """Let the machines start: another boot, small monotonic times, a wall clock that nobody has set yet."""
        self.kill()
        self.plan = replace(self.plan, boot=self._a_boot(dice))
        self.start()

    def step(self, seconds: int) -> None:
        """Set the wall clock wrong."""
        if self.plan.boot is not None:
            self.stepped.add(self.plan.boot.id)
        self.clock.step(seconds)

    def limit_files(self, most_bytes: int | None) -> None:
        """Fill the disk, or make room."""
        if most_bytes is not None:
            self.copies.forget()
        if self._child is not None:
            self._child.limit_files(most_bytes)

    def rest(self) -> None:
        """Let no more vehicles come."""
        if self._child is not None:
            self._child.order("rest")

    def rests(self) -> bool:
        """Whether an order to rest was taken: the ledger has everything that they append."""
        return _rests(self._child)

    def restore(self) -> None:
        """Put the copy in place that was taken at an earlier restoration, and take one for the next time."""
        self.kill()
        here, new = self.folder / OUTBOXES, self.folder / f"{OUTBOXES}-{self.plan.start}"
        kept = frozenset(self.book().kept)
        if here.exists():
            shutil.copytree(here, new)
        if self.copies.outboxes is not None:
            shutil.rmtree(here)
            shutil.copytree(self.copies.outboxes, here)
            self.excused |= kept - self.copies.names
            self.copies.store = None  # what the outbox has lost is in the present store alone
        if here.exists():
            self.copies.outboxes, self.copies.names = new, kept

    def clone(self, dice: float) -> None:
        """Start other machines from a copy of the cards, under the same names: instead of these at first, or beside.

        The cards are copied while nobody writes, between two writes, or while they are written to.
        """
        self.plan = replace(self.plan, start=self.plan.start + 1)
        cards = f"clone-{self.plan.start}"
        if dice < 0.33:
            self.kill()
        self._copy_cards(self.folder / cards, at_once=dice < 0.66)
        home = self.folder / f"machines-{self.plan.start}"
        home.mkdir()
        self._said_before = self._said().count(ALARM)
        plan = replace(self.plan, outboxes=cards, boot=self._a_boot(dice))
        self._clone = Child(plan, home, environment=self.environment)

    def clone_wrote(self) -> bool:
        """Whether the machines that have the copies have kept records of their own."""
        return self._clone is None or any(note["kind"] == "kept" for note in self._notes_of(self._clone))

    def rest_clone(self) -> None:
        """Let no more vehicles come to the machines that have the copies."""
        if self._clone is not None:
            self._clone.order("rest")

    @property
    def cloned(self) -> bool:
        """Whether the copies are in use."""
        return self._clone is not None

    def clone_rests(self) -> bool:
        """Whether everything that a clone appends is in the ledger."""
        return _rests(self._clone)

    def alarmed(self) -> bool:
        """Whether one of the machines has said since the cloning that there is another."""
        return self._said().count(ALARM) > self._said_before

    def end_clone(self) -> None:
        """Throw the copies away: the store alone has their records from now on."""
        if self._clone is not None:
            self._clone.kill()
            self._clone = None
            self.copies.store = None

    def book(self) -> Book:
        """Return what the generator wrote."""
        return Book().enter(notes(self.folder / LEDGER))

    def clocks_wrong(self, address: str) -> list[str]:
        """Return the boots whose clock the store has learnt wrong, or learnt although it was never set."""
        return [
            f"{device} {boot}: {offset - self.boots[boot]} ns"
            for device, boot, offset in committed.query(address, BOOTS)
            if boot in self.boots and boot not in self.stepped and abs(offset - self.boots[boot]) > WRONG_NS
        ]

    def close(self) -> None:
        for child in (self._child, self._clone):
            if child is not None:
                child.kill()

    def _a_boot(self, dice: float) -> Boot:
        chosen = random.Random(dice)
        now_ns, utc_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns()
        off_s, synced_s = chosen.choice((None, *STEPS_S)), chosen.choice(SYNCED_S)
        boot = Boot(
            str(uuid.UUID(int=chosen.getrandbits(128), version=4)),
            began_ns=now_ns,
            utc_ns=0 if off_s is None else utc_ns + off_s * SECOND_NS,
            synced_ns=None if synced_s is None else int(synced_s * SECOND_NS),
        )
        self.boots[boot.id] = utc_ns
        return boot

    def _copy_cards(self, to: Path, *, at_once: bool) -> None:
        stopped = self._child is not None and at_once
        if self._child is not None and stopped:
            os.kill(self._child.pid, signal.SIGSTOP)
        try:
            shutil.copytree(self.folder / OUTBOXES, to)
        finally:
            if self._child is not None and stopped:
                os.kill(self._child.pid, signal.SIGCONT)

    def _notes_of(self, child: Child) -> Iterator[Mapping[str, Any]]:
        return notes(self.folder / LEDGER, f"{child.plan.devices[0]}-{child.plan.start}")

    def _said(self) -> bytes:
        name = f"{self.plan.devices[0]}.out"
        return b"".join(path.read_bytes() for path in [self.folder / name, *self.folder.glob(f"machines-*/{name}")])


def _rests(child: Child | None) -> bool:
    if child is not None:
        child.look()
    return child is None or child.resting
