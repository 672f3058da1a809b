"""What a batch means before any database is asked: each name once, ranges merged, clocks learnt. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from platefleet.fleet.store.port import Arrival, Clash, Committed, GoneTold, Name
from platefleet.protocol.delivery.coverage import Ranges, merge
from platefleet.protocol.messages import Crops, Decision, EpochOpening, PlateEvent, Stamp

Outbox = tuple[str, str]
"""(device, epoch): one writer's names."""
Boot = tuple[str, str]
"""(device, boot id)."""

DRIFT_NS = 10_000_000
"""A clock that is kept in step wanders less against the monotonic one; a smaller difference is not worth a write."""


class Sorted(NamedTuple):
    """first: the first arrival of each name. clashes: those that came under a taken name within the batch."""

    first: dict[Name, Arrival]
    clashes: list[Clash]


class Widened(NamedTuple):
    """An epoch's rows. stale: firsts of rows that go. new: rows that come or grow. told: where all now lies."""

    stale: list[int]
    new: list[tuple[int, int]]
    told: Ranges


class Offset(NamedTuple):
    """A boot's UTC minus its monotonic clock. synced: by the kernel's word; else a person vouched for it."""

    utc_minus_mono_ns: int
    synced: bool


def first_of_each_name(arrivals: Iterable[Arrival]) -> Sorted:
    """Return the batch by names: the first of each stands, another digest of the same name is a clash, told once."""
    first: dict[Name, Arrival] = {}
    clashes: dict[tuple[Name, bytes], Clash] = {}
    for arrival in arrivals:
        kept = first.setdefault(arrival.name, arrival).digest
        other = arrival.digest
        if kept != other:
            clashes[arrival.name, other] = Clash(*arrival.name, kept=kept, other=other)
    return Sorted(first, list(clashes.values()))


def turned_away(arrivals: Iterable[Arrival], clashes: Iterable[Clash]) -> list[Arrival]:
    """Return the arrivals that clash."""
    clashing = {(clash.device, clash.epoch, clash.seq, clash.other) for clash in clashes}
    return [arrival for arrival in arrivals if (*arrival.name, arrival.digest) in clashing] if clashing else []


def counted(arrivals: Sequence[Arrival], fresh: Sequence[Arrival], clashes: Sequence[Clash]) -> Committed:
    """Return what is counted of a commit; its coverage is still to be said."""
    return Committed(
        clashes=tuple(clashes),
        fresh=len(fresh),
        again=len(arrivals) - len(fresh) - len(turned_away(arrivals, clashes)),
        quarantined=sum(bool(arrival.undecodable) for arrival in fresh),
    )


def touched(names: Iterable[Name], told: Iterable[GoneTold]) -> dict[Outbox, Ranges]:
    """Return the ranges that a batch covers, by outbox, in the order in which every worker locks them."""
    found: dict[Outbox, list[tuple[int, int]]] = defaultdict(list)
    for device, epoch, seq in names:
        found[device, epoch].append((seq, seq))
    for each in told:
        found[each.device, each.gone.epoch].append((each.gone.first, each.gone.last))
    return {outbox: merge(found[outbox]) for outbox in sorted(found)}


def widen(before: Iterable[tuple[int, int]], ranges: Ranges) -> Widened:
    """Merge `ranges` (merged, not empty) into `before`: all rows of the epoch that touch them or lie between.

    >>> widen([(1, 3), (6, 6)], ((4, 4), (9, 9)))
    Widened(stale=[], new=[(1, 4), (9, 9)], told=((1, 4), (9, 9)))
    >>> widen([(1, 3), (5, 6)], ((4, 4),))
    Widened(stale=[5], new=[(1, 6)], told=((1, 6),))
    """
    rows = dict(before)
    after = merge([*rows.items(), *ranges])
    firsts = {first for first, _ in after}
    return Widened(
        stale=[first for first in rows if first not in firsts],
        new=[(first, last) for first, last in after if rows.get(first) != last],
        told=tuple(_containing(after, ranges)),
    )


def _containing(wide: Ranges, narrow: Ranges) -> Iterator[tuple[int, int]]:
    """Yield each range of `wide` that holds one of `narrow`; both ascending, each narrow one inside a wide one."""
    inside = iter(narrow)
    current = next(inside, None)
    for first, last in wide:
        if current is not None and current[0] <= last:
            yield first, last
        while current is not None and current[0] <= last:
            current = next(inside, None)


def offsets(arrivals: Iterable[Arrival]) -> dict[Boot, Offset]:
    """Return what the arrivals' stamps tell of their devices' clocks: the newest of each boot, `synced` before all."""
    learnt: dict[Boot, Offset] = {}
    for arrival in arrivals:
        stamp = _stamp(arrival)
        if stamp is None or stamp.clock == "unsynced":
            continue
        boot = arrival.device, stamp.boot.replace("\x00", "\ufffd")
        offset = Offset(stamp.utc_ns - stamp.mono_ns, stamp.clock == "synced")
        if offset.synced or not learnt.get(boot, offset).synced:
            learnt[boot] = offset
    return dict(sorted(learnt.items()))


def worth_writing(known: Offset | None, learnt: Offset) -> bool:
    """Whether `learnt` says anything new beside what this program wrote before; `synced` replaces, else it adds."""
    if known is None or (learnt.synced and not known.synced):
        return True
    return learnt.synced and abs(learnt.utc_minus_mono_ns - known.utc_minus_mono_ns) > DRIFT_NS


def _stamp(arrival: Arrival) -> Stamp | None:
    match arrival.message:
        case PlateEvent(captured=stamp) | Crops(captured=stamp) | Decision(decided=stamp) | EpochOpening(opened=stamp):
            return stamp
        case _:
            return None
