"""Many readings of one plate become one: characters voted by confidence, place by place.

Readings of one length are averaged place by place, each with what else the reader thought it might be; so a confidence
stays what it says and does not grow by counting the same doubt twice. Between lengths the weight decides, except that a
reading that is part of a longer one gives way: what hides a plate takes characters away and adds none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from platefleet.models.reading import Character, Reading

KEPT_TEXTS = 12
"""Texts whose agreeing frames are counted; the least weighty is forgotten first."""
ALTERNATIVES = 4
"""Alternatives that are told with a character."""
WHOLE = 0.5
"""A longer reading wins over its own part with at least this share of the part's weight."""

Place = dict[str, tuple[float, int]]
"""By symbol: its summed weighted confidence, and in how many readings it was the first choice; `""` has the sums."""


@dataclass(frozen=True, slots=True)
class Votes:
    """What was read of one plate so far: by text its weight and frames, by length its places' summed distributions."""

    texts: tuple[tuple[str, float, int], ...] = ()
    places: tuple[tuple[int, tuple[Place, ...]], ...] = ()

    def frames(self, text: str) -> int:
        """How many readings were exactly `text`."""
        return next((frames for known, _, frames in self.texts if known == text), 0)


def weight(reading: Reading) -> float:
    """Return how much a reading counts: little as soon as one character is doubtful.

    The mean alone hides one bad character, the minimum alone makes a long plate weigh less than a short one.
    """
    return reading.mean**4 * max(0.05, reading.minimum)


def add(votes: Votes, reading: Reading) -> Votes:
    """Return the votes with one more reading; one without characters changes nothing."""
    if not reading.characters:
        return votes
    worth = weight(reading)
    texts = {text: (total, frames) for text, total, frames in votes.texts}
    total, frames = texts.get(reading.text, (0.0, 0))
    texts[reading.text] = total + worth, frames + 1
    ranked = sorted(((text, *counted) for text, counted in texts.items()), key=lambda entry: -entry[1])
    places = dict(votes.places)
    length = len(reading.characters)
    before = places.get(length, ({},) * length)
    places[length] = tuple(
        _added(place, character, worth) for place, character in zip(before, reading.characters, strict=True)
    )
    return replace(votes, texts=tuple(ranked[:KEPT_TEXTS]), places=tuple(sorted(places.items())))


def _added(place: Place, character: Character, worth: float) -> Place:
    grown = dict(place)
    chosen = ((character.text, character.confidence, 1), *((t, c, 0) for t, c in character.alternatives))
    for symbol, confidence, hit in (*chosen, ("", 1.0, 1)):
        total, hits = grown.get(symbol, (0.0, 0))
        grown[symbol] = total + worth * confidence, hits + hit
    return grown


def agreeing(votes: Votes, reading: Reading) -> int:
    """Return in how many readings the least supported character of `reading` was the first choice, place by place."""
    places = dict(votes.places).get(len(reading.characters), ())
    pairs = zip(places, reading.characters, strict=True)
    return min((place.get(character.text, (0.0, 0))[1] for place, character in pairs), default=0)


def consensus(votes: Votes) -> Reading:
    """Return the reading that the votes come to; without votes it has no characters."""
    by_length = [(places[0][""][0], _reading(places)) for _, places in votes.places]
    if not by_length:
        return Reading()
    total, best = max(by_length, key=lambda entry: entry[0])
    for other_total, other in sorted(by_length, key=lambda entry: len(entry[1].characters)):
        longer = len(other.characters) > len(best.characters) and best.text in other.text
        if longer and other_total >= WHOLE * total and agreeing(votes, other) > 1:
            total, best = other_total, other
    return best


def _reading(places: tuple[Place, ...]) -> Reading:
    characters = []
    for place in places:
        total = place[""][0]
        ranked = sorted(((s, v / total) for s, (v, _) in place.items() if s), key=lambda entry: (-entry[1], entry[0]))
        (text, confidence), others = ranked[0], ranked[1 : 1 + ALTERNATIVES]
        characters.append(Character(text, min(1.0, confidence), tuple((s, min(1.0, c)) for s, c in others)))
    return Reading(tuple(characters))


def distance(a: str, b: str) -> int:
    """Return how many characters must be put in, taken out or changed to make `b` of `a` (Levenshtein, 1965).

    >>> distance("51F06532", "51F0653Z")
    1
    """
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


def differing(a: str, b: str) -> int:
    """Return how many characters contradict each other: what hides a plate takes some away, and those contradict none.

    >>> differing("31691", "51G31691"), differing("51G31691", "51F06532")
    (0, 6)
    """
    return distance(a, b) - abs(len(a) - len(b))
