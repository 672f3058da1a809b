"""What goes wrong in a round, from its seed. Pure."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "kill agent",
    "kill broker",
    "kill ingest",
    "kill database",
    "kill gate",
    "cut agent's link",
    "stall agent's link",
    "slow agent's link",
    "cut gate's link",
    "stall gate's link",
    "fill agent's disk",
    "fill store's disk",
    "step agent's wall clock",
    "step ingest's wall clock",
    "step gate's wall clock",
    "reboot agent",
    "restore outbox",
    "clone outbox",
    "restore store",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
LASTS_S = 3.0
"""A round's faults begin within so long."""
TAKES_S = (0.1, 1.2)
STALLS_S = (0.5, 7.0)
"""Up to twice the age limit and what the relay may take: a gate that does not look at ages is caught."""


@dataclass(frozen=True, order=True)
class Fault:
    """at_s: from the round's start. dice: for what the fault leaves open (direction, step, rate)."""

    at_s: float
    for_s: float
    kind: Kind
    dice: float


def plan(seed: str, kinds: Collection[Kind] = KINDS, *, least: int = 2, most: int = 5) -> list[Fault]:
    """Return a round's faults in order of time: `least` to `most`, each kind at most once, one store of records left.

    >>> plan("1/1") == plan("1/1"), 1 <= len(plan("1/1")) <= 5
    (True, True)
    """
    dice = random.Random(seed)
    chosen = dice.sample(sorted(kinds), dice.randint(min(least, len(kinds)), min(most, len(kinds))))
    if "restore store" in chosen and "restore outbox" in chosen:
        chosen.remove("restore outbox")  # what both have forgotten, nobody can bring back
    return sorted(
        Fault(dice.uniform(0, LASTS_S), dice.uniform(*(STALLS_S if "stall" in kind else TAKES_S)), kind, dice.random())
        for kind in chosen
    )
