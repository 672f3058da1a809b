"""Judge a demo from outside: cars that were shown against passes that the store holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shown:
    """A car of the clip: its plate, or None if nobody could read it, and when it was in the picture (seconds)."""

    name: str
    plate: str | None
    first_s: float
    last_s: float


@dataclass(frozen=True, slots=True)
class Told:
    """A pass as the store holds it: its last text (empty if unread, with the reason) and when it was (seconds)."""

    pass_id: str
    text: str
    unread: str | None
    first_s: float
    last_s: float


@dataclass(frozen=True, slots=True)
class Match:
    """A car and the pass that was told of it, either of them missing where there is no partner."""

    car: Shown | None
    told: Told | None

    @property
    def misread(self) -> bool:
        """Whether a text was told that is not the car's plate."""
        return bool(self.told and self.told.text and (self.car is None or self.told.text != self.car.plate))


def pair(cars: list[Shown], passes: list[Told]) -> list[Match]:
    """Pair each car with at most one pass and each pass with at most one car, best first, then list what is left over.

    The better pair overlaps longer in time; a text that is the car's own plate counts more than any overlap. Two that
    do not overlap at all are no pair.
    """
    candidates = [
        (told.text == car.plate, min(car.last_s, told.last_s) - max(car.first_s, told.first_s), i, j)
        for i, car in enumerate(cars)
        for j, told in enumerate(passes)
    ]
    cars_left, passes_left = dict(enumerate(cars)), dict(enumerate(passes))
    matches = []
    for _, overlap_s, i, j in sorted(candidates, key=lambda c: (c[0], c[1]), reverse=True):
        if overlap_s >= 0 and i in cars_left and j in passes_left:
            matches.append(Match(cars_left.pop(i), passes_left.pop(j)))
    matches += [Match(car, None) for car in cars_left.values()]
    matches += [Match(None, told) for told in passes_left.values()]
    return sorted(matches, key=lambda m: m.car.first_s if m.car else m.told.first_s if m.told else 0.0)


def faults(matches: list[Match], *, appended: int, committed: int, opened_twice: int) -> list[str]:
    """Return a sentence for each thing that may not happen; an empty list is a demo that showed what it should."""
    found = [
        f"{match.car.name} ({match.car.plate or 'no readable plate'}) was shown and has no pass"
        for match in matches
        if match.car and not match.told
    ]
    for match in matches:
        if match.told and not match.car:
            twin = next(
                (
                    m.car.name
                    for m in matches
                    if m.car and m.told and m.car.first_s <= match.told.first_s <= m.car.last_s
                ),
                None,
            )
            what = f"{twin} has two passes" if twin else "a pass was told and no car was shown"
            found.append(f"{what}: {match.told.pass_id} ({match.told.text or match.told.unread})")
    if appended != committed:
        found.append(f"{appended} records were appended and {committed} are committed")
    if opened_twice:
        found.append(f"{opened_twice} passes were opened more than once")
    return found
