"""One life of a gate's core after another, over one journal and one outbox that outlive it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from platefleet.fleet.gate.alarm import Alarm
from platefleet.fleet.gate.calendar import Calendar
from platefleet.fleet.gate.core import Core
from platefleet.fleet.gate.facts import Moved, Outcome, Pulse
from platefleet.fleet.gate.journal import Journal
from platefleet.fleet.gate.replay import replay
from platefleet.fleet.gate.telling import Telling
from platefleet.protocol.clock import SystemClock, boot_id
from platefleet.protocol.delivery.frame import open_body
from platefleet.protocol.delivery.port import Outbox
from platefleet.protocol.messages import Decision
from tests.gate_builders import ON_THE_LIST, RULE, a_list, announced

CLOCK = SystemClock()


@dataclass
class Life:
    """A core, and what it did in this life."""

    core: Core
    journal: Journal
    pulses: list[Pulse] = field(default_factory=list)
    said: list[Decision] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)

    def announce(self, **changes: object) -> None:
        self.core.announced(RULE.key, announced(**changes))  # type: ignore[arg-type]

    def answer(self, outcome: Outcome = "opened", reason: str = "") -> None:
        self.core.moved(Moved(self.pulses.pop(0).token, outcome, reason))


@contextmanager
def a_life(path: Path, outbox: Outbox | None, *, alarmed: int | None = None) -> Iterator[Life]:
    """One controller's life over its journal, or without an outbox that of a person who opens by hand."""
    with Journal(path) as journal:
        pulses: list[Pulse] = []
        said: list[Decision] = []
        alarms: list[Alarm] = []
        past = replay(journal.entries, boot_id(), CLOCK.now().mono_ns)
        core = Core(
            {RULE.key: RULE},
            a_list(ON_THE_LIST, "XYZ789"),
            journal,
            past,
            clock=CLOCK,
            calendar=Calendar("UTC", boot_id(), lambda _: "assumed", past.newest_utc_ns),
            submit=pulses.append,
            said=said.append,
            telling=None if outbox is None else Telling(outbox, journal, counts=Counter(), said=said.append),
            sound=alarms.append,
        )
        core.begin(alarmed=alarmed)
        yield Life(core, journal, pulses, said, alarms)


def recorded(outbox: Outbox) -> list[Decision]:
    """Every decision that an outbox holds, oldest first."""
    held = (outbox.read(entry.key) for entry in outbox.waiting(None, 10_000))
    bodies = (open_body(record) for record in held if record is not None and record.type == "decision")
    return [body for body in bodies if isinstance(body, Decision)]


def journaled(path: Path) -> list[Decision]:
    """Every decision that a journal holds, oldest first."""
    with Journal(path) as journal:
        return [entry.decision for entry in journal.after(0)]
