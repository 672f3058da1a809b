"""How often each budget of look-alikes lets a stranger in or keeps a resident out, over simulated misreads.

Each character of a plate is read as the pinned models once read one like it (`misreads.json`: what was read, how sure,
and what else was offered, over the 108 European photos of `make bench`), drawn at random, so the errors of one plate
are taken as independent. Lists are random plates of European patterns. `python -m platefleet.fleet.gate.bench` prints
the table.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platefleet.fleet.gate.match import EXACT, LOOK_ALIKES, Ambiguous, Found, Index, Matching, find
from platefleet.protocol.messages import Alternative, CharacterRead

SEED = 20261123
SIZES = (100, 1_000, 10_000)
PASSES = 4_000
"""Residents, strangers and neighbours each, a list."""
HARDER = 4
"""Misreads drawn so many times as often as measured: rain, dirt, a worse camera. For the list of 1,000 alone."""
MEASURED = ("no format", "format eu")
BUDGETS = {
    "exact": EXACT,
    "1": Matching(((2, 1),)),
    "1, from 8 characters 2": Matching(((2, 1), (8, 2))),
    "2": Matching(((2, 2),)),
    "3": Matching(((2, 3),)),
}
PATTERNS = ("AA999AA", "AA999AA", "AAA999", "A999AAA", "AA99AAA", "AAAA999", "AA9999", "AAA9999", "AA99AA99")
"""Slovakia, Italy, France; Sweden; Spain's and Britain's order; Germany by length. `A` is a letter, `9` a digit."""
LETTERS, DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
MISREADS = Path(__file__).with_name("misreads.json")
_GROUP = {character: group for group in LOOK_ALIKES for character in group}
Pool = Mapping[str, Sequence[CharacterRead]]


@dataclass(frozen=True, slots=True)
class Eye:
    """A simulated reader. right, wrong: what it once made of each character. lost: how often it sees none at all."""

    right: Pool
    wrong: Pool
    wrong_share: Mapping[str, float]
    lost: float

    def read(self, plate: str, chance: random.Random) -> tuple[CharacterRead, ...]:
        """Return what it makes of a plate. A character that was never measured is read rightly, without doubt."""
        characters = []
        for true in plate:
            if chance.random() < self.lost:
                continue
            pool = self.wrong if chance.random() < self.wrong_share.get(true, 0.0) else self.right
            characters.append(chance.choice(pool.get(true) or [CharacterRead(text=true, confidence=1.0)]))
        return tuple(characters)


def eyes() -> dict[str, Eye]:
    """Return the readers that were measured, and for each one that errs more often."""
    data = json.loads(MISREADS.read_text(encoding="ascii"))
    found = {}
    for name, measured in data["sets"].items():
        for factor in (1, HARDER):
            found[name if factor == 1 else f"{name}, {factor} × the misreads"] = _eye(measured, factor)
    return found


def _eye(measured: dict[str, Any], factor: int) -> Eye:
    right: dict[str, list[CharacterRead]] = {}
    wrong: dict[str, list[CharacterRead]] = {}
    for true, seen in measured["seen"].items():
        for text, confidence, others in seen:
            offered = tuple(Alternative(text=other, confidence=p) for other, p in others[:8])
            pool = right if text == true else wrong
            pool.setdefault(true, []).append(CharacterRead(text=text, confidence=confidence, alternatives=offered))
    share = {true: min(1.0, factor * len(bad) / (len(bad) + len(right.get(true, ())))) for true, bad in wrong.items()}
    return Eye(right, wrong, share, min(1.0, factor * measured["lost"] / measured["characters"]))


def rows() -> list[dict[str, Any]]:
    """Return a row for each reader, size of list and budget: shares in percent of `PASSES` cars each.

    false refusals: residents not let in. of those ambiguous. false opens: strangers let in, and neighbours, whose true
    plate is one look-alike away from a resident's. The same seed gives the same rows.
    """
    chance = random.Random(SEED)  # noqa: S311  # a simulation
    found = []
    for name, eye in eyes().items():
        for size in SIZES if name in MEASURED else SIZES[1:2]:
            plates = _plates(size + PASSES, chance)
            index, strangers = Index(plates[:size]), plates[size:]
            residents = [chance.choice(plates[:size]) for _ in range(PASSES)]
            neighbours = [_neighbour(index, plates[:size], chance) for _ in range(PASSES)]
            reads = {
                who: [eye.read(plate, chance) for plate in cars]
                for who, cars in (("residents", residents), ("strangers", strangers), ("neighbours", neighbours))
            }
            for budget, matching in BUDGETS.items():
                said = {"reader": name, "plates on the list": size, "budget": budget}
                found.append({**said, **_shares(index, reads, matching)})
    return found


def _shares(index: Index, reads: Mapping[str, Sequence[tuple[CharacterRead, ...]]], by: Matching) -> dict[str, float]:
    outcomes = {who: [find(index, "".join(c.text for c in r), r, by) for r in cars] for who, cars in reads.items()}
    opened = {who: sum(isinstance(o, Found) for o in each) for who, each in outcomes.items()}
    return {
        "false refusals %": _percent(PASSES - opened["residents"]),
        "of those ambiguous %": _percent(sum(isinstance(o, Ambiguous) for o in outcomes["residents"])),
        "false opens, strangers %": _percent(opened["strangers"]),
        "false opens, neighbours %": _percent(opened["neighbours"]),
    }


def _percent(count: int) -> float:
    return round(100 * count / PASSES, 2)


def _plates(count: int, chance: random.Random) -> list[str]:
    plates: dict[str, None] = {}
    while len(plates) < count:
        pattern = chance.choice(PATTERNS)
        plates["".join(chance.choice(LETTERS if symbol == "A" else DIGITS) for symbol in pattern)] = None
    return list(plates)


def _neighbour(index: Index, plates: Sequence[str], chance: random.Random) -> str:
    """Return a plate that is not on the list and one look-alike away from one that is."""
    while True:
        plate = chance.choice(plates)
        places = [place for place, character in enumerate(plate) if character in _GROUP]
        if places:
            place = chance.choice(places)
            other = chance.choice([c for c in _GROUP[plate[place]] if c != plate[place]])
            near = plate[:place] + other + plate[place + 1 :]
            if near not in index.plates:
                return near


def table() -> str:
    """Return the rows as Markdown."""
    measured = rows()
    names = list(measured[0])
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    lines += [f"| {' | '.join(str(row[name]) for name in names)} |" for row in measured]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
