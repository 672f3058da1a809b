"""Which plate of a list a reading means: exactly that one, or, where a site asks for it, the one that it looks like.

A look-alike is taken within a budget that the plate's length sets, only if the reader itself named the other character
as an alternative, and only if one plate of the list alone is nearest. Nothing else is ever forgiven: no missing and no
additional character, no exchange across the groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from platefleet.protocol.messages import CharacterRead

LOOK_ALIKES = ("0DOQ", "1I", "8B", "5S", "2Z", "6G")
"""Characters that share a shape in the typefaces of plates (DESIGN.md, "Matching")."""
_SKELETON = str.maketrans({character: group[0] for group in LOOK_ALIKES for character in group})


@dataclass(frozen=True, slots=True)
class Matching:
    """How much a site forgives.

    steps: (least length of the plate, look-alikes then allowed), by rising length; none: exact. alternative_least: the
    confidence, 0–1, that the reader must have given the other character.
    """

    steps: tuple[tuple[int, int], ...] = ()
    alternative_least: float = 0.05

    def budget(self, length: int) -> int:
        """Return how many look-alikes a plate of `length` characters may hold.

        >>> Matching(((5, 1), (8, 2))).budget(7)
        1
        """
        return max((most for least, most in self.steps if length >= least), default=0)


EXACT = Matching()


@dataclass(frozen=True, slots=True)
class Found:
    """One plate of the list is meant. substitutions: how many look-alikes that took."""

    plate: str
    substitutions: int = 0


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several plates of the list are equally near; the first few of them."""

    plates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """No plate of the list is meant; `near` looks like the reading, and `why` it was not taken."""

    near: str = ""
    why: str = ""


class Index:
    """The plates of a list, found by their exact text and by their shape; built once, then only read."""

    def __init__(self, plates: Iterable[str]) -> None:
        self.plates = frozenset(plates)
        self._shapes: dict[str, list[str]] = {}
        for plate in sorted(self.plates):
            self._shapes.setdefault(shape(plate), []).append(plate)

    def alike(self, text: str) -> Sequence[str]:
        """Return the plates of the list that differ from `text` by look-alikes only, sorted."""
        return self._shapes.get(shape(text), ())


def shape(text: str) -> str:
    """Return `text` with each character as the first of its look-alikes.

    >>> shape("BO51"), shape("8D5I")
    ('8051', '8051')
    """
    return text.translate(_SKELETON)


def find(
    index: Index, text: str, characters: Sequence[CharacterRead] = (), matching: Matching = EXACT
) -> Found | Ambiguous | Absent:
    """Return the plate of the list that the reading means.

    characters: of `text`, one each, with what else each might be; without them only the exact text is found.

    >>> read = [CharacterRead(text="A", confidence=0.9), CharacterRead(text="0", confidence=0.6)]
    >>> find(Index(["AO"]), "A0", read, Matching(((2, 1),)))
    Absent(near='AO', why='the reader did not offer O for the character 2')
    """
    if text in index.plates:
        return Found(text)
    budget = matching.budget(len(text))
    if budget == 0 or "".join(c.text for c in characters) != text:
        return Absent()
    near = [(sum(a != b for a, b in zip(text, plate, strict=True)), plate) for plate in index.alike(text)]
    within = sorted((count, plate) for count, plate in near if count <= budget)
    if not within:
        return Absent(*((min(near)[1], f"it differs in more than {budget}") if near else ()))
    nearest = [plate for count, plate in within if count == within[0][0]]
    if len(nearest) > 1:
        return Ambiguous(tuple(nearest[:4]))
    unpaid = _unpaid(characters, nearest[0], matching.alternative_least)
    return Absent(nearest[0], unpaid) if unpaid else Found(nearest[0], within[0][0])


def _unpaid(characters: Sequence[CharacterRead], plate: str, least: float) -> str:
    """Return why the reader's alternatives do not pay for `plate`; empty if they do."""
    for place, (read, wanted) in enumerate(zip(characters, plate, strict=True), start=1):
        if read.text == wanted:
            continue
        offered = max((a.confidence for a in read.alternatives if a.text == wanted), default=None)
        if offered is None:
            return f"the reader did not offer {wanted} for the character {place}"
        if offered < least:
            return f"the reader offered {wanted} for the character {place} with {offered:.2f}, below {least:.2f}"
    return ""
