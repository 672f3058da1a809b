"""The ledger against the store: appended ⊆ committed ⊆ handed over, and nothing twice. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Name = tuple[str, str, int]
"""(device, epoch, seq)."""
SHOWN = 5


class Row(NamedTuple):
    """A record as the store has it. digest: of its frame; body: of its body."""

    name: Name
    type: str
    digest: str
    body: str


class GoneRange(NamedTuple):
    """What a device told of its losses."""

    device: str
    epoch: str
    first: int
    last: int


@dataclass
class Book:
    """What the ledgers say. handed: bodies by device. kept: name → digest. fleeting: kept in memory alone.

    reused: names that were given more than once, by two writers of the same past or by one that forgot.
    """

    handed: set[tuple[str, str]] = field(default_factory=set)
    kept: dict[Name, str] = field(default_factory=dict)
    fleeting: set[Name] = field(default_factory=set)
    reused: set[Name] = field(default_factory=set)

    def enter(self, notes: Iterable[Mapping[str, Any]]) -> Book:
        """Take the notes of a ledger; other kinds than `hand` and `kept` are somebody else's."""
        for note in notes:
            if note["kind"] == "hand":
                self.handed.add((note["device"], note["body"]))
            elif note["kind"] == "kept":
                name = (note["device"], note["epoch"], note["seq"])
                if name in self.kept:
                    self.reused.add(name)
                self.kept[name] = note["digest"]
                if note.get("volatile"):
                    self.fleeting.add(name)
        return self


@dataclass(frozen=True)
class Ledger:
    """The comparison. committed: rows of devices that the book knows, without the epochs' own opening records.

    gone: not committed, but told. excused: not committed, since the only copy was destroyed on purpose.
    missing: appended, not committed, and for no such reason. twice: bodies that have more than one row. foreign: rows
    that nobody handed over. different: names under which the store has something else. reused: names that were given
    to more than one record.
    """

    appended: int
    committed: int
    gone: int
    excused: int
    missing: tuple[Name, ...]
    twice: tuple[Name, ...]
    foreign: tuple[Name, ...]
    different: tuple[Name, ...]
    reused: tuple[Name, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing was lost, doubled or made up."""
        return not (self.missing or self.twice or self.foreign or self.different or self.reused)

    def line(self) -> str:
        """Return one line for a person."""
        return (
            f"appended {self.appended}, committed {self.committed}, gone {self.gone}, excused {self.excused}, "
            f"missing {len(self.missing)}, twice {len(self.twice)}, foreign {len(self.foreign)}, "
            f"different {len(self.different)}, reused {len(self.reused)}"
        )

    def differences(self) -> list[str]:
        """Return a line for each kind of difference, with the first names."""
        found = (("missing", self.missing), ("twice", self.twice), ("foreign", self.foreign))
        return [
            f"{what}: " + ", ".join(f"{device} {epoch}/{seq}" for device, epoch, seq in names[:SHOWN])
            for what, names in (*found, ("different", self.different), ("reused", self.reused))
            if names
        ]


def compare(
    book: Book, rows: Iterable[Row], gone: Iterable[GoneRange], *, excused: Collection[Name] = frozenset()
) -> Ledger:
    """Return what of the book the store has. excused: names that may be missing: their only copy was destroyed."""
    devices = {device for device, _ in book.handed}
    committed: dict[Name, Row] = {row.name: row for row in rows if row.name[0] in devices}
    own = [row for row in committed.values() if row.type != "epoch"]
    ranges: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for each in gone:
        ranges.setdefault((each.device, each.epoch), []).append((each.first, each.last))
    lacking = [name for name in book.kept if name not in committed]
    lost = {n for n in lacking if any(a <= n[2] <= b for a, b in ranges.get((n[0], n[1]), ()))}
    bodies = Counter((row.name[0], row.body) for row in own)
    return Ledger(
        appended=len(book.kept),
        committed=len(own),
        gone=len(lost),
        excused=sum(name in excused and name not in lost for name in lacking),
        missing=tuple(name for name in lacking if name not in lost and name not in excused),
        twice=tuple(row.name for row in own if bodies[row.name[0], row.body] > 1),
        foreign=tuple(row.name for row in own if (row.name[0], row.body) not in book.handed),
        different=tuple(n for n, d in book.kept.items() if n in committed and committed[n].digest != d),
        reused=tuple(sorted(book.reused)),
    )
