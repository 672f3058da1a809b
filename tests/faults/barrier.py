"""The barrier's side of the ledger: which pulses came, judged by when the generator saw each vehicle. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Pulses:
    """What the relay counted.

    twice: passes with more than one pulse. late: pulses for vehicles that had last been seen longer ago than the limit.
    uncalled: pulses for passes that no lane told of, or whose plate is not on the list.
    """

    total: int
    twice: tuple[str, ...]
    late: tuple[str, ...]
    uncalled: tuple[str, ...]

    @property
    def right(self) -> bool:
        return not (self.twice or self.late or self.uncalled)

    def line(self) -> str:
        return f"pulses {self.total}, twice {len(self.twice)}, late {len(self.late)}, uncalled {len(self.uncalled)}"


def judge(
    notes: Iterable[Mapping[str, Any]], pulses: Iterable[Mapping[str, Any]], *, allowed: Collection[str], limit_s: float
) -> Pulses:
    """Return what the relay did. limit_s: from when a vehicle was last seen to its pulse, the relay's way included."""
    seen: dict[str, list[int]] = defaultdict(list)
    texts: dict[str, str] = {}
    for note in notes:
        if note["kind"] == "seen":
            seen[note["pass"]].append(note["mono_ns"])
            texts[note["pass"]] = note["text"]
    came = list(pulses)
    late = []
    for pulse in came:
        times = seen.get(pulse["pass"], [])
        at = bisect_right(times, pulse["mono_ns"])
        if at and pulse["mono_ns"] - times[at - 1] > limit_s * SECOND_NS:
            late.append(pulse["pass"])
    counts = Counter(pulse["pass"] for pulse in came)
    return Pulses(
        len(came),
        twice=tuple(name for name, count in counts.items() if count > 1),
        late=tuple(late),
        uncalled=tuple(p["pass"] for p in came if texts.get(p["pass"]) not in allowed or not texts.get(p["pass"])),
    )
