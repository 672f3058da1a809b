"""Which characters a reader takes for which: true texts aligned with what was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from platefleet.models.reading import Reading


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts over aligned characters; "" stands for none.

    pairs: (true, read) → how often, right ones included: ("", "B") is a character too many, ("0", "") one lost.
    alternatives: (true, read) → the probability that the reader gave the true character at each place where it read
    another, 0 where it did not name it. right, wrong: confidences of characters read rightly and wrongly.
    """

    pairs: dict[tuple[str, str], int]
    alternatives: dict[tuple[str, str], tuple[float, ...]]
    right: tuple[float, ...]
    wrong: tuple[float, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON: lists of [true, read, count], errors only, most frequent first, and totals."""
        errors = sorted(((t, r, n) for (t, r), n in self.pairs.items() if t != r), key=lambda row: (-row[2], row[:2]))
        return {
            "characters": sum(n for (true, _), n in self.pairs.items() if true),
            "errors": [list(row) for row in errors],
            "alternatives": [
                [true, read, [round(p, 4) for p in ps]] for (true, read), ps in sorted(self.alternatives.items())
            ],
            "mean confidence right": round(sum(self.right) / len(self.right), 4) if self.right else None,
            "mean confidence wrong": round(sum(self.wrong) / len(self.wrong), 4) if self.wrong else None,
        }


def confusion(readings: Iterable[tuple[str, Reading]]) -> Confusion:
    """Count over pairs of a true text and its reading."""
    pairs: Counter[tuple[str, str]] = Counter()
    alternatives: dict[tuple[str, str], tuple[float, ...]] = {}
    right: list[float] = []
    wrong: list[float] = []
    for text, reading in readings:
        for true, place in aligned(text, reading.text):
            character = None if place is None else reading.characters[place]
            read = "" if character is None else character.text
            pairs[true, read] += 1
            if character is None:
                continue
            (right if true == read else wrong).append(character.confidence)
            if true != read and true:
                given = max((p for other, p in character.alternatives if other == true), default=0.0)
                alternatives[true, read] = (*alternatives.get((true, read), ()), given)
    return Confusion(dict(pairs), alternatives, tuple(right), tuple(wrong))


def aligned(true: str, read: str) -> list[tuple[str, int | None]]:
    """Return the true characters each with the place in `read` that stands for it, by the fewest edits.

    A character too many comes with "", one lost with None. Substitutions go before insertions and deletions.

    >>> aligned("AB1", "A81"), aligned("RK1", "PRK1"), aligned("NO4", "N4")
    ([('A', 0), ('B', 1), ('1', 2)], [('', 0), ('R', 1), ('K', 2), ('1', 3)], [('N', 0), ('O', None), ('4', 1)])
    """
    cost = [[i + j if not (i and j) else 0 for j in range(len(read) + 1)] for i in range(len(true) + 1)]
    for i in range(1, len(true) + 1):
        for j in range(1, len(read) + 1):
            change = cost[i - 1][j - 1] + (true[i - 1] != read[j - 1])
            cost[i][j] = min(change, cost[i - 1][j] + 1, cost[i][j - 1] + 1)
    pairs: list[tuple[str, int | None]] = []
    i, j = len(true), len(read)
    while i or j:
        if i and j and cost[i][j] == cost[i - 1][j - 1] + (true[i - 1] != read[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((true[i], j))
        elif j and cost[i][j] == cost[i][j - 1] + 1:
            j -= 1
            pairs.append(("", j))
        else:
            i -= 1
            pairs.append((true[i], None))
    return pairs[::-1]
