"""What happens next to all commands of a device: which begins, which waits for what, which has to stop.

`moves(entries, situation)` is asked after everything that happens and once a second. It returns events for
`lifecycle.advance`; whoever keeps the journal writes what changed, then does it: starts what became running, stops what
got a reason to stop. Nothing here remembers anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.commands.holds import Situation, hold, holding_back
from platefleet.protocol.commands.lifecycle import Event, Held, Life, Overdue, Started, TooLate, Yield
from platefleet.protocol.commands.order import Order, Terms
from platefleet.protocol.messages.command import Waiting

OPEN_MOST = 32
"""Commands that are not over. One more is rejected."""
RETOLD_NS = 600 * SECOND_NS
"""What a command waits for is told again after this long if only its details changed."""
MOVED_NS = 60 * SECOND_NS
"""So far may the expected moment move before it is told anew."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A command on the desk. told_ns: when its present waiting was told. stepped_ns, heard_ns: of the running try.

    All by monotonic time.
    """

    order: Order
    life: Life
    terms: Terms
    told_ns: int = 0
    stepped_ns: int = 0
    heard_ns: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """An event for one command."""

    id: str
    event: Event


@dataclass(frozen=True, slots=True)
class Judge:
    """The clock is good now: the command's times can be judged."""

    id: str


@dataclass
class _Slots:
    """Who has each slot, and who would like to."""

    running: dict[str, Entry] = field(default_factory=dict)
    ready: dict[str, list[Entry]] = field(default_factory=dict)


def full(entries: Mapping[str, Entry]) -> bool:
    """Whether no further command is taken."""
    return sum(not entry.life.over for entry in entries.values()) >= OPEN_MOST


def moves(entries: Mapping[str, Entry], now: Situation) -> Sequence[Move | Judge]:
    """Return what happens now, at most one move a command."""
    slots = _Slots()
    found: list[Move | Judge] = []
    for id_, entry in entries.items():
        if entry.life.over:
            continue
        if entry.life.state == "running":
            slots.running[entry.terms.slot] = entry
            event = _running(entry, now)
            if event is not None:
                found.append(Move(id_, event))
        elif _too_late(entry.order, now):
            found.append(Move(id_, TooLate()))
        elif entry.order.lives_ns is not None and now.clock_good:
            found.append(Judge(id_))
        else:
            why = hold(entry.order, entry.life, entry.terms, now)
            if why is None:
                slots.ready.setdefault(entry.terms.slot, []).append(entry)
            elif told_anew(entry, why, now.now.mono_ns):
                found.append(Move(id_, Held(why)))
    return [*found, *_begin(slots, now)]


def told_anew(entry: Entry, why: Waiting, mono_ns: int) -> bool:
    """Whether a reason to wait says enough that is new: each is a record on a disk, and details change all the time."""
    known = entry.life.why
    if entry.life.state != "waiting" or known is None or known.hold != why.hold:
        return True
    if known == why:
        return False
    if (known.until_ns is None) != (why.until_ns is None):
        return True
    moved = known.until_ns is not None and why.until_ns is not None and abs(known.until_ns - why.until_ns) > MOVED_NS
    return mono_ns - entry.told_ns > (MOVED_NS if moved else RETOLD_NS)


def _begin(slots: _Slots, now: Situation) -> Iterator[Move]:
    for slot, ready in slots.ready.items():
        ready.sort(key=lambda entry: (-entry.order.priority, entry.order.issued_at_ns, entry.order.id))
        busy = slots.running.get(slot)
        if busy is None:
            first, *rest = ready
            yield Move(first.order.id, Started(first.terms.first_step))
            busy = first
        else:
            rest = ready
        why = Waiting(hold="command", says=f"{busy.order.operation} {busy.order.id} runs; one such at a time")
        for entry in rest:
            if told_anew(entry, why, now.now.mono_ns):
                yield Move(entry.order.id, Held(why))


def _running(entry: Entry, now: Situation) -> Event | None:
    """Return why a running command cannot go on as it is."""
    limits = entry.terms.steps.get(entry.life.step or "")
    if limits is not None and entry.life.stopping is None:
        mono_ns = now.now.mono_ns
        if mono_ns - entry.stepped_ns > limits.deadline_s * SECOND_NS:
            return Overdue(f"{entry.life.step} took longer than the {limits.deadline_s:g} s that it may")
        if mono_ns - entry.heard_ns > limits.stall_s * SECOND_NS:
            return Overdue(f"nothing was heard of {entry.life.step} for {limits.stall_s:g} s")
    if entry.life.committed or entry.life.stopping is not None:
        return None
    why = holding_back(entry.terms, now)
    return None if why is None else Yield(why)


def _too_late(order: Order, now: Situation) -> bool:
    if order.lives_ns is None:
        return now.clock_good and now.now.utc_ns > order.not_after_ns
    began_ns = order.received.mono_ns if order.boot == now.boot else 0  # another boot: it lives since before this one
    return now.now.mono_ns - began_ns > order.lives_ns
