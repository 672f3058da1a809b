"""One life of a gate's core after another, over one journal and one outbox that outlive it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from platefleet.fleet.gate.alarm import Alarm
from platefleet.fleet.gate.calendar import Calendar
from platefleet.fleet.gate.circumstances import Circumstances, HoldRule, Passback
from platefleet.fleet.gate.core import Core
from platefleet.fleet.gate.facts import Moved, Outcome, Pulse, Rule
from platefleet.fleet.gate.hearing import Key
from platefleet.fleet.gate.journal import Journal
from platefleet.fleet.gate.replay import replay
from platefleet.fleet.gate.telling import Telling
from platefleet.protocol.clock import SystemClock
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

    def announce(self, rule: Rule = RULE, **changes: object) -> None:
        self.core.announced(rule.key, announced(**changes))  # type: ignore[arg-type]

    def forget(self) -> None:
        """Make every opening so long ago that the same plate is a new car."""
        for key, state in self.core.lanes.items():
            self.core.lanes[key] = replace(state, openings=())

    def answer(self, outcome: Outcome = "opened", reason: str = "") -> None:
        self.core.moved(Moved(self.pulses.pop(0).token, outcome, reason))


@contextmanager
def a_life(
    path: Path,
    outbox: Outbox | None,
    *,
    alarmed: int | None = None,
    rules: Sequence[Rule] = (RULE,),
    holds: Mapping[Key, HoldRule] = MappingProxyType({}),
    back: Passback | None = None,
) -> Iterator[Life]:
    """One controller's life over its journal, or without an outbox that of a person who opens by hand."""
    lanes = {rule.key: rule for rule in rules}
    with Journal(path) as journal:
        pulses: list[Pulse] = []
        said: list[Decision] = []
        alarms: list[Alarm] = []
        past = replay(journal.entries, CLOCK.boot, CLOCK.now().mono_ns)
        around = telling = None
        if outbox is not None:
            every = {key: holds.get(key, HoldRule()) for key in lanes}
            around = Circumstances(lanes, outbox, boot=CLOCK.boot, holds=every, back=back)
            telling = Telling(outbox, journal, counts=Counter(), said=said.append, noted=around.told)
        core = Core(
            lanes,
            a_list(ON_THE_LIST, "XYZ789"),
            journal,
            past,
            clock=CLOCK,
            calendar=Calendar("UTC", CLOCK.boot, lambda _: "assumed", past.newest_utc_ns),
            submit=pulses.append,
            said=said.append,
            telling=telling,
            circumstances=around,
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
