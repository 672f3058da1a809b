"""Which plates a person means: one, all that look like it, or all that begin so. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod

from platefleet.fleet.gate.match import LOOK_ALIKES
from platefleet.fleet.questions.errors import Unanswerable

SEPARATORS = " -·.\t"
WILD = "%_?"
"""What other programs take for any character, and no reader tells."""
LONGEST = 12
"""The longest text of a plate event."""
LEAST_BEFORE_STAR = 2
MOST_ALIKE = 16_384
"""Texts that are looked for one by one in the index: eight characters of which seven have three look-alikes."""


@dataclass(frozen=True, slots=True)
class Plates:
    """The texts that are meant: any of `texts`, or whatever begins with `prefix`."""

    texts: tuple[str, ...] = ()
    prefix: str = ""


def meant(written: str, *, like: bool = False) -> Plates:
    """Return the plates that a person means. like: with those that differ by look-alikes; a `*` at the end: a prefix.

    Raises Unanswerable.

    >>> meant("b-ab 12", like=False).texts, meant("b 8*").prefix
    (('BAB12',), 'B8')
    >>> meant("S1", like=True).texts
    ('51', '5I', 'S1', 'SI')
    """
    text = "".join(c.upper() if c.isascii() else c for c in written if c not in SEPARATORS)
    stem = text.removesuffix("*")
    if "*" in stem:
        raise Unanswerable(f"plate: {written[:40]!a} has a * inside; it can stand at the end only, as in AB12*.")
    other = next((c for c in stem if c in WILD), "")
    if other:
        raise Unanswerable(f"plate: {written[:40]!a} has {other}, which no plate has; AB12* means all that begin so.")
    if not stem or len(stem) > LONGEST:
        raise Unanswerable(f"plate: {written[:40]!a} is no plate; one of 1 to {LONGEST} characters would be right.")
    if text == stem:
        return Plates(texts=alike(stem) if like else (stem,))
    if like:
        raise Unanswerable("plate: a * and look-alikes together are too many; leave one of them out.")
    if len(stem) < LEAST_BEFORE_STAR:
        raise Unanswerable(
            f"plate: {written[:40]!a} means too many; write {LEAST_BEFORE_STAR} characters before the *."
        )
    return Plates(prefix=stem)


def alike(text: str) -> tuple[str, ...]:
    """Return every text that differs from `text` by look-alikes only, itself included, sorted. Raises Unanswerable.

    >>> alike("AB")
    ('A8', 'AB')
    """
    choices = [next((group for group in LOOK_ALIKES if c in group), c) for c in text]
    count = prod(len(each) for each in choices)
    if count > MOST_ALIKE:
        raise Unanswerable(f"plate: {text!a} looks like {count} others; ask without --like, or for a prefix.")
    return tuple(sorted("".join(each) for each in product(*choices)))
