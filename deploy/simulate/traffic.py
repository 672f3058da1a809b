"""What a simulated lane sees, from a seed: vehicles that come, stand, are read better, and leave. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from platefleet.protocol.ids import uuid7

LETTERS, DIGITS = "ABCDEFGHKLMNPRSTUVWXYZ", "123456789"
BORN_MS = 1_795_000_000_000
"""Passes are named as if they came then: the same seed gives the same names."""
LANE = "entry"
SETTLED_S = 0.3
BETTER_S = 0.5
ANNOUNCED_S = 2.0
"""A standing vehicle's newest revision is told again this often."""
LEFT_S = 0.4
CROPS_BYTES = (1_200, 6_000)
UNREAD_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a lane does at `at_s` from its start.

    kind: `revision` is kept and told, `crops` is kept, `announcement` tells the newest revision again. seen: the
    vehicle is in the picture at this moment. payload: of crops, bytes.
    """

    at_s: float
    kind: Literal["revision", "crops", "announcement"]
    pass_id: str
    revision: int
    text: str
    first_s: float
    final: bool = False
    payload: bytes = b""

    @property
    def seen(self) -> bool:
        """Whether the vehicle is there."""
        return not self.final


@dataclass(frozen=True, slots=True)
class Habits:
    """How a lane is used. passes_a_minute: on average. plates: drawn from these. stands_s: shortest, longest."""

    passes_a_minute: float = 6.0
    plates: Sequence[str] = ()
    stands_s: tuple[float, float] = (1.0, 5.0)
    crops: bool = True


def steps(seed: str, habits: Habits) -> Iterator[Step]:
    """Yield what one lane does, in order of time, for ever. One vehicle at a time.

    >>> first = next(steps("1/north-1", Habits()))
    >>> first == next(steps("1/north-1", Habits())), first.kind, first.revision
    (True, 'revision', 1)
    """
    dice = random.Random(seed)  # noqa: S311  # a scene, not a secret
    at_s = 0.0
    mean_s = 60.0 / habits.passes_a_minute
    while True:
        stands_s = min(dice.uniform(*habits.stands_s), mean_s * 0.6)
        pause_s = min(dice.expovariate(1 / max(mean_s - stands_s, 0.001)), mean_s * 4)
        at_s += pause_s
        yield from _one(dice, at_s, stands_s, habits)
        at_s += stands_s + LEFT_S


def plate(dice: random.Random) -> str:
    """Return a plate that no look-alike turns into another."""
    return "".join(dice.choices(LETTERS, k=3) + dice.choices(DIGITS, k=4))


def _one(dice: random.Random, came_s: float, stands_s: float, habits: Habits) -> Iterator[Step]:
    pass_id = uuid7(BORN_MS + int(came_s * 1000), dice.randbytes(10))
    text = dice.choice(habits.plates) if habits.plates else plate(dice)
    if dice.random() < UNREAD_SHARE:
        text = ""
    size = dice.randint(*CROPS_BYTES)
    told: list[Step] = [Step(came_s + min(SETTLED_S, stands_s), "revision", pass_id, 1, text, came_s)]
    if habits.crops:
        told.append(Step(told[0].at_s, "crops", pass_id, 1, text, came_s, payload=dice.randbytes(size)))
    revision = 1
    if text and stands_s > SETTLED_S + BETTER_S and dice.random() < 0.5:
        revision = 2
        told.append(Step(came_s + SETTLED_S + BETTER_S, "revision", pass_id, 2, text, came_s))
    again_s = told[-1].at_s + ANNOUNCED_S
    while again_s < came_s + stands_s:
        told.append(Step(again_s, "announcement", pass_id, revision, text, came_s))
        again_s += ANNOUNCED_S
    told.append(Step(came_s + stands_s + LEFT_S, "revision", pass_id, revision + 1, text, came_s, final=True))
    yield from told
