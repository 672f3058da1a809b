"""What the store lacks of what devices have told or will tell. Pure: facts in, gaps out.

The store knows that a record exists when a newer one of its epoch is there, or when a later epoch names the last of it.
What is neither committed nor told as gone is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from platefleet.protocol.delivery.coverage import Ranges, count, missing

State = Literal["expected", "doubtful", "gone", "clash"]
EXPECTED = "the device holds it, or will say that it is gone"
DOUBTFUL = "it was in memory only, and the device has begun anew since"
GONE = {
    "quota": "the device had no more room for it",
    "unsendable": "the broker closed the link over it, again and again",
    "volatile": "it was in memory when the program ended",
    "broken": "it could not be read any more from the device's disk",
}
CLASH = "another record of this name came and was turned away: a copied card, or a restored image?"


@dataclass(frozen=True, slots=True)
class Epoch:
    """What is known of one epoch. named_last: the last seq that a later epoch names, None where none does.

    volatile: in memory only, None where its opening is not there. opened_ns: UTC, None likewise.
    """

    epoch: str
    covered: Ranges
    named_last: int | None = None
    volatile: bool | None = None
    opened_ns: int | None = None

    @property
    def last(self) -> int:
        """The last seq that is known to exist."""
        return max(self.named_last or 0, self.covered[-1][1] if self.covered else 0)


@dataclass(frozen=True, slots=True)
class Gap:
    """A range of one epoch that is not there, or that a second record claimed. since_ns: UTC, None if nobody knows."""

    epoch: str
    first: int
    last: int
    count: int
    state: State
    why: str
    since_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A range that the device told as gone. present: how many of it the store has all the same."""

    epoch: str
    first: int
    last: int
    reason: str
    told_ns: int
    present: int = 0


@dataclass(frozen=True)
class Report:
    """One device. gaps: the first of them, in order; left_out: how many more ranges there are."""

    device: str
    epochs: int = 0
    volatile_epochs: int = 0
    covered: int = 0
    gaps: tuple[Gap, ...] = field(default=())
    left_out: int = 0


def holes(epoch: Epoch) -> Iterator[Gap]:
    """Yield what is missing of an epoch without being told as gone; since when, others know.

    >>> [(g.first, g.last, g.state) for g in holes(Epoch("e", ((1, 3), (5, 5)), named_last=9))]
    [(4, 4, 'expected'), (6, 9, 'expected')]
    """
    lost: State = "doubtful" if epoch.volatile and epoch.named_last is not None else "expected"
    for first, last in missing(epoch.covered, epoch.last):
        yield Gap(epoch.epoch, first, last, last - first + 1, lost, DOUBTFUL if lost == "doubtful" else EXPECTED)


def gone(told: Iterable[Told]) -> Iterator[Gap]:
    """Yield what nobody will get; a range inside one that was told for the same reason says nothing new.

    >>> told = [Told("e", 1, 9, "quota", 5, present=2), Told("e", 2, 3, "quota", 7)]
    >>> [(g.first, g.last, g.count) for g in gone(told)]
    [(1, 9, 7)]
    """
    widest: dict[tuple[str, str], int] = {}
    for each in sorted(told, key=lambda t: (t.epoch, t.reason, t.first, -t.last)):
        key = each.epoch, each.reason
        absent = each.last - each.first + 1 - each.present
        if each.last <= widest.get(key, 0) or absent <= 0:
            continue
        widest[key] = each.last
        why = f"{each.reason}: {GONE[each.reason]}" if each.reason in GONE else each.reason
        yield Gap(each.epoch, each.first, each.last, absent, "gone", why, each.told_ns)


def summary(device: str, epochs: Iterable[Epoch], gaps: Iterable[Gap], most: int, beyond: int = 0) -> Report:
    """Return a device's report with its first `most` gaps, the longest known first. beyond: others, not looked up."""
    known = list(epochs)
    ordered = sorted(gaps, key=lambda gap: (gap.since_ns or 0, gap.epoch, gap.first))
    return Report(
        device,
        epochs=len(known),
        volatile_epochs=sum(bool(epoch.volatile) for epoch in known),
        covered=sum(count(epoch.covered) for epoch in known),
        gaps=tuple(ordered[:most]),
        left_out=max(0, len(ordered) - most) + beyond,
    )


def kept(gap: Gap, *, since_ns: int | None, before_ns: int | None) -> bool:
    """Whether a person asks for this gap: known since `since_ns` or later, and not after `before_ns`.

    What is still missing is listed however long it has been; what is gone or clashed only if it is news.
    """
    if gap.since_ns is None:
        return True
    if before_ns is not None and gap.since_ns > before_ns:
        return False
    return since_ns is None or gap.since_ns >= since_ns or gap.state in {"expected", "doubtful"}
