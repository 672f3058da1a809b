"""From a text recogniser's probabilities to characters: CTC decoding over a plate's alphabet. Pure functions.

A recogniser for whole languages knows thousands of symbols; a plate has few. What a symbol outside the alphabet claims
goes to CTC's blank, "no character here": masking it away and scaling the rest up would turn every separator, badge and
smear into the nearest letter (measured: worse than not masking at all).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from platefleet.models.reading import Character

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_CHARACTERS = 12
MOST_ALTERNATIVES = 4
LEAST_ALTERNATIVE = 1e-4
"""An alternative less likely than this pays for nothing and is left out."""

_SAME_SHAPE = "ckopsuvwxz"
"""Small letters that are their capitals, only smaller: a crop without neighbours cannot tell them apart."""
_GREEK = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True))

Probabilities = NDArray[np.float32]
"""(steps, 1 + alphabet) float32: column 0 is the blank; each line sums to 1."""


def spelled_as(symbol: str, alphabet: str = ALPHABET) -> str | None:
    """Return the character of the alphabet that a recogniser's symbol is drawn like, or None.

    Itself, its full-width form, a Greek capital of the same shape, or a small letter of its capital's shape.

    >>> [spelled_as(symbol) for symbol in ("A", "Ａ", "o", "Β", "b", "-", "")]
    ['A', 'A', 'O', 'B', None, None, None]
    """
    if len(symbol) != 1:
        return None
    plain = unicodedata.normalize("NFKC", symbol) if unicodedata.east_asian_width(symbol) == "F" else symbol
    for candidate in (plain, _GREEK.get(plain, ""), plain.upper() if plain in _SAME_SHAPE else ""):
        if candidate and candidate in alphabet:
            return candidate
    return None


class Fold:
    """Folds a recogniser's symbols into an alphabet; built once per model."""

    def __init__(self, symbols: Sequence[str], alphabet: str = ALPHABET) -> None:
        """symbols: the model's, by class number from 1 (0 is its blank). Raises ValueError for an unusable alphabet."""
        if not alphabet or len(set(alphabet)) != len(alphabet):
            raise ValueError(f"an alphabet wants one or more characters, each once, not {alphabet!r}")
        spelled = [(number, spelled_as(symbol, alphabet)) for number, symbol in enumerate(symbols, start=1)]
        known = sorted((alphabet.index(character), number) for number, character in spelled if character)
        missing = set(range(len(alphabet))) - {column for column, _ in known}
        if missing:
            raise ValueError(f"the model has no symbol for {''.join(alphabet[column] for column in sorted(missing))!r}")
        self.alphabet = alphabet
        self._classes = np.array([number for _, number in known], np.intp)
        columns = [column for column, _ in known]
        self._starts = np.array([columns.index(column) for column in range(len(alphabet))], np.intp)

    def __call__(self, output: NDArray[np.float32]) -> Probabilities:
        """Return (steps, 1 + alphabet) for a model's (steps, classes) probabilities; the rest goes to the blank."""
        folded = np.zeros((len(output), 1 + len(self.alphabet)), np.float32)
        folded[:, 1:] = np.add.reduceat(output[:, self._classes], self._starts, axis=1)
        folded[:, 0] = np.maximum(np.float32(1) - folded[:, 1:].sum(axis=1), np.float32(0))
        return folded


def decode(
    probabilities: Probabilities, alphabet: str = ALPHABET, most: int = MOST_CHARACTERS
) -> tuple[Character, ...]:
    """Return the characters of the likeliest path: at each step the best, repeats joined, blanks dropped.

    A character's confidence is its probability at the step of its run where it is highest, and its alternatives are
    the others' at that step, not scaled up: what is missing to 1 is the doubt whether a character stands there at all.
    Of more than `most` characters the least certain are dropped.

    >>> first, second = decode(np.float32([[0.5, 0.5, 0], [0.25, 0.75, 0], [1, 0, 0], [0, 0.25, 0.75]]), "AB")
    >>> first
    Character(text='A', confidence=0.75, alternatives=())
    >>> second
    Character(text='B', confidence=0.75, alternatives=(('A', 0.25),))
    """
    best = probabilities.argmax(axis=1) if len(probabilities) else np.zeros(0, np.intp)
    found: list[tuple[int, int]] = []
    step = 0
    while step < len(best):
        end = step
        while end < len(best) and best[end] == best[step]:
            end += 1
        if best[step]:
            column = int(best[step])
            found.append((step + int(probabilities[step:end, column].argmax()), column))
        step = end
    characters = [_character(probabilities[at], column, alphabet) for at, column in found]
    return most_certain(characters, most)


def most_certain(characters: Sequence[Character], most: int) -> tuple[Character, ...]:
    """Return the characters in their order, without the least certain beyond `most`."""
    certain = sorted(range(len(characters)), key=lambda i: -characters[i].confidence)[:most]
    return tuple(characters[i] for i in sorted(certain))


def _character(line: NDArray[np.float32], column: int, alphabet: str) -> Character:
    """Return the character of `column` with what else stood at its step."""
    order = np.argsort(-line[1:], kind="stable")[: MOST_ALTERNATIVES + 1] + 1
    others = tuple(
        (alphabet[int(other) - 1], float(line[other]))
        for other in order
        if other != column and line[other] >= LEAST_ALTERNATIVE
    )
    return Character(alphabet[column - 1], float(min(line[column], 1.0)), others[:MOST_ALTERNATIVES])
