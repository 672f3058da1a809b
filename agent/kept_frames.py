"""Which frames are worth keeping, for what, and which give way: decisions without clocks, files or threads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Literal, get_args

from platefleet.models.own_days import Use, use_of
from platefleet.models.reading import Sighting
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.ids import LaneId

Kind = Literal["hard", "plate", "plain"]
"""`hard`: the models are unsure or disagree. `plate`: a plate they are sure of. `plain`: nothing that counts."""
KINDS: tuple[Kind, ...] = get_args(Kind)
SHARES: Mapping[Kind, float] = {"hard": 0.5, "plate": 0.4, "plain": 0.1}
"""Of the quota; what one kind does not need, the others have."""
EVERY_NS: Mapping[Kind, int] = {"hard": 20 * SECOND_NS, "plate": 60 * SECOND_NS, "plain": 1800 * SECOND_NS}
"""The least between two of a kind and lane: two frames of one car tell little more than one."""
UNSURE = 0.5
"""A plate's confidence, or a reading's weakest character's, below which a frame is hard."""
NEAR = 0.25
"""The share of the picture's height from which a vehicle should show a plate."""


def kind_of(seen: Sighting, height: int) -> Kind:
    """Return what a frame is worth. height: of the picture, in pixels."""
    for plate in seen.plates:
        if plate.confidence < UNSURE or plate.reading.minimum < UNSURE or plate.vehicle is None:
            return "hard"
    carrying = {plate.vehicle for plate in seen.plates}
    for number, box in enumerate(seen.vehicles.boxes):
        if number not in carrying and box[3] - box[1] >= NEAR * height:
            return "hard"
    return "plate" if seen.plates else "plain"


@dataclass(frozen=True, slots=True)
class Pacing:
    """When a frame of each lane and kind was last kept, by the monotonic clock."""

    last: Mapping[tuple[LaneId, Kind], int] = field(default_factory=dict)


def due(pacing: Pacing, lane: LaneId, kind: Kind, mono_ns: int) -> tuple[Pacing, bool]:
    """Return whether a frame of this kind is kept now."""
    before = pacing.last.get((lane, kind))
    if before is not None and 0 <= mono_ns - before < EVERY_NS[kind]:
        return pacing, False
    return replace(pacing, last={**pacing.last, (lane, kind): mono_ns}), True


@dataclass(frozen=True, slots=True, order=True)
class Kept:
    """A frame that is kept. day: in UTC, as 2026-11-25. name: of its file."""

    day: str
    name: str
    kind: Kind
    size: int

    @property
    def use(self) -> Use:
        """What it is for, and the folder that it lies in."""
        return use_of(self.day)


def named(utc_ns: int, lane: LaneId, kind: Kind, size: int) -> Kept:
    """Return what a frame is called.

    >>> named(1_795_604_400_123_000_000, "entry", "hard", 7).name
    '2026-11-25T11-00-00.123Z_entry_hard.jpg'
    """
    at = datetime.fromtimestamp(utc_ns // SECOND_NS, timezone.utc)
    milliseconds = utc_ns % SECOND_NS // 1_000_000
    return Kept(f"{at:%Y-%m-%d}", f"{at:%Y-%m-%dT%H-%M-%S}.{milliseconds:03}Z_{lane}_{kind}.jpg", kind, size)


def recognised(name: str, size: int) -> Kept | None:
    """Return what a file is, or None for one that is not ours."""
    stem, _, suffix = name.rpartition(".")
    kind = next((kind for kind in KINDS if stem.endswith(f"_{kind}")), None)
    return None if kind is None or suffix != "jpg" or len(name) < 10 else Kept(name[:10], name, kind, size)


def give_way(kept: Collection[Kept], quota_bytes: int, first_day: str) -> Sequence[Kept]:
    """Return what has to go: all before `first_day`; then, while there is too much, the oldest of one kind.

    It is the kind that has most in proportion to its share.
    """
    gone = [each for each in kept if each.day < first_day]
    stays = sorted(each for each in kept if each.day >= first_day)
    sizes = Counter({kind: sum(each.size for each in stays if each.kind == kind) for kind in KINDS})
    while stays and sizes.total() > quota_bytes:
        kind = max((each for each in KINDS if sizes[each]), key=lambda each: sizes[each] / SHARES[each])
        oldest = next(each for each in stays if each.kind == kind)
        stays.remove(oldest)
        gone.append(oldest)
        sizes[kind] -= oldest.size
    return gone
