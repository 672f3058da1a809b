"""Plate formats: what a country's plates look like, used for one thing: to settle O or 0 where a typeface does not.

A format is a list of patterns. In a pattern `A` is a letter, `9` a digit, `*` either, `[^IOU]` a letter but none of
these; `{2}` and `{1,3}` say how many of the class before; separators are not written. `"AA999AA"` is Slovakia's,
`"A{2,5}9{1,4}"` most of Germany's, `"[^IOU]{2}999[^IOU]{2}"` France's.

A text fits a pattern if each of its characters is of the class at its place, where an O may be taken for a 0 and a 0
for an O. If it fits in several ways (or several patterns), the way that the reader finds likeliest counts, the text as
read before others. If it fits none, it stays as read. No other character is ever changed, and none added or removed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from platefleet.models.countries import FORMATS
from platefleet.models.reading import Character, Reading
from platefleet.protocol.errors import ConfigError

MOST_PATTERNS = 200
MOST_PLACES = 16
"""More than any plate has; with it, a pattern costs at most 2^16 ways, and a text of 12 at most 2^12."""
LEAST_CONFIDENCE = 1e-6
"""What an O or 0 counts that the reader did not name as an alternative."""

_TOKEN = re.compile(r"(A|9|\*|\[\^[A-Z]{1,25}\])(?:\{(\d{1,2})(?:,(\d{1,2}))?\})?")
_CLASSES = {"A": "[A-Z]", "9": "[0-9]", "*": "[A-Z0-9]"}
_OTHER = {"O": "0", "0": "O"}


@dataclass(frozen=True, slots=True)
class Format:
    """A named list of patterns, checked; make one with `parse_format`."""

    name: str
    patterns: tuple[str, ...]

    def fits(self, text: str) -> bool:
        """Whether a text, taken as it stands, is of one of the patterns.

        >>> slovak = parse_format("slovak", ["AA999AA"])
        >>> slovak.fits("RK300AG"), slovak.fits("RK3OOAG")
        (True, False)
        """
        return _compiled(self.patterns).fullmatch(text) is not None

    def settle(self, reading: Reading) -> Reading:
        """Return the reading with each O and 0 as the format has it; everything else as it was.

        Where the format leaves one way only, its character takes the confidence of both and loses the other as an
        alternative: between the two there is no doubt left. Any other doubt stays.
        """
        ways = [way for way in _ways(reading.text) if self.fits(way)]
        if not ways:
            return reading
        best = max(ways, key=lambda way: (_likelihood(reading, way), way == reading.text))
        characters = zip(reading.characters, best, zip(*ways, strict=True), strict=True)
        return Reading(
            tuple(
                _settled(was, now, alone=len(set(seen)) == 1) if now in _OTHER else was for was, now, seen in characters
            )
        )


def parse_format(name: str, patterns: Sequence[str]) -> Format:
    """Check the patterns of a format. Raises ConfigError that names the format and the pattern.

    >>> parse_format("my", ["AA-999"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    platefleet.protocol.errors.ConfigError: formats.my: 'AA-999' is no pattern; ...
    """
    if not 0 < len(patterns) <= MOST_PATTERNS:
        raise ConfigError(f"formats.{name}: has {len(patterns)} patterns; give 1 to {MOST_PATTERNS}")
    for pattern in patterns:
        tokens = [(int(low or 1), int(high or low or 1)) for _, low, high in _TOKEN.findall(pattern)]
        if not pattern or _TOKEN.sub("", pattern):
            raise ConfigError(
                f"formats.{name}: {pattern!r} is no pattern; write A, 9, * or [^IO], {{2}} or {{1,3}} after it"
            )
        if any(low > high or high < 1 for low, high in tokens) or sum(high for _, high in tokens) > MOST_PLACES:
            raise ConfigError(
                f"formats.{name}: {pattern!r} counts wrongly; low before high, at most {MOST_PLACES} places in all"
            )
    return Format(name, tuple(patterns))


def find_format(name: str, more: Mapping[str, Sequence[str]] | None = None) -> Format:
    """Return a format by name: one of the configuration's (`more`), else a built-in one.

    Raises ConfigError for an unknown name, with the known ones, or a pattern that is none.
    """
    known = {**FORMATS, **(more or {})}
    if name not in known:
        raise ConfigError(f"format: {name!r} is not known; choose one of {', '.join(sorted(known))} or define it")
    return parse_format(name, known[name])


def _ways(text: str) -> Iterator[str]:
    """Yield a text with every choice of O or 0; a text of more than `MOST_PLACES` of them only as it is."""
    places = [i for i, character in enumerate(text) if character in _OTHER]
    if len(places) > MOST_PLACES:
        yield text
        return
    for choice in range(1 << len(places)):
        way = list(text)
        for bit, place in enumerate(places):
            if choice >> bit & 1:
                way[place] = _OTHER[way[place]]
        yield "".join(way)


def _confidence(character: Character, text: str) -> float:
    """Return what the reader gives `text` at this place."""
    if text == character.text:
        return character.confidence
    return max((confidence for other, confidence in character.alternatives if other == text), default=0.0)


def _likelihood(reading: Reading, way: str) -> float:
    """Return the logarithm of what the reader gives a way, rounded so that the order of a sum decides nothing."""
    pairs = zip(reading.characters, way, strict=True)
    return round(sum(math.log(max(_confidence(c, text), LEAST_CONFIDENCE)) for c, text in pairs), 6)


def _settled(character: Character, text: str, *, alone: bool) -> Character:
    """Return a place decided as `text` (O or 0); `alone`: the format allows nothing else there."""
    other = _OTHER[text]
    mine, its = _confidence(character, text), _confidence(character, other)
    alternatives = [pair for pair in character.alternatives if pair[0] not in _OTHER]
    if alone:
        mine = min(mine + its, 1.0)
    elif its > 0:
        alternatives = sorted([*alternatives, (other, its)], key=lambda pair: -pair[1])
    return Character(text, mine, tuple(alternatives))


@lru_cache(maxsize=64)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Return one expression for all patterns: classes with bounded counts, so it cannot backtrack without end."""
    return re.compile(
        "|".join(
            "".join(f"{_class(kind)}{{{low or 1},{high or low or 1}}}" for kind, low, high in _TOKEN.findall(pattern))
            for pattern in patterns
        )
    )


def _class(kind: str) -> str:
    """Return a class of a pattern as a regular expression's."""
    return _CLASSES.get(kind) or f"(?:(?!{kind.replace('^', '')})[A-Z])"
