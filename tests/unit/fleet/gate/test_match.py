"""Which plate of the list a reading means."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.fleet.gate.match import EXACT, LOOK_ALIKES, Absent, Ambiguous, Found, Index, Matching, find
from platefleet.protocol.messages import Alternative, CharacterRead
from tests.gate_builders import an_event

ONE = Matching(((5, 1),))
TWO = Matching(((5, 1), (8, 2)))
GROUP = {character: group for group in LOOK_ALIKES for character in group}
SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
PLATES = st.text(SYMBOLS, min_size=1, max_size=12)


def read(text: str, alternatives: dict[int, str] | None = None) -> tuple[CharacterRead, ...]:
    return an_event(text, alternatives=alternatives).characters


def everything_offered(text: str, confidence: float = 0.3) -> list[CharacterRead]:
    """A reader that offers every look-alike of every character."""
    return [
        CharacterRead(
            text=c,
            confidence=0.4,
            alternatives=tuple(Alternative(text=o, confidence=confidence) for o in GROUP.get(c, "") if o != c),
        )
        for c in text
    ]


@settings(deadline=None)
@given(st.sets(PLATES, max_size=20), PLATES, st.data())
def test_exact_opens_for_nothing_but_the_very_text(plates: set[str], text: str, data: st.DataObject) -> None:
    near = data.draw(st.sampled_from(sorted(plates))) if plates else text
    for one in (text, near, near[:-1], near + "0", near.replace("O", "0"), near.lower()):
        found = find(Index(plates), one, everything_offered(one), EXACT)
        assert found == (Found(one) if one in plates else Absent())


@settings(deadline=None)
@given(st.sets(st.text("O0DQ1IX", min_size=5, max_size=6), max_size=30), st.text("O0DQ1IX", min_size=5, max_size=6))
def test_a_budget_is_never_exceeded_and_one_plate_alone_is_nearest(plates: set[str], text: str) -> None:
    for budget in (1, 2, 3):
        matching = Matching(((5, budget),))
        distances = {
            plate: sum(a != b for a, b in zip(text, plate, strict=True))
            for plate in plates
            if len(plate) == len(text)
            and all(a == b or b in GROUP.get(a, "") for a, b in zip(text, plate, strict=True))
        }
        least = min(distances.values(), default=99)
        nearest = sorted(plate for plate, distance in distances.items() if distance == least)
        found = find(Index(plates), text, everything_offered(text), matching)
        match found:
            case Found(plate, substitutions):
                assert nearest == [plate]
                assert substitutions == least <= budget
            case Ambiguous(several):
                assert len(nearest) > 1
                assert set(several) <= set(nearest)
            case Absent():
                assert least > budget


@settings(deadline=None)
@given(st.sets(st.text("O0DQB8", min_size=6, max_size=6), min_size=1, max_size=10), st.data())
def test_nothing_is_taken_that_the_reader_did_not_offer(plates: set[str], data: st.DataObject) -> None:
    text = data.draw(st.text("O0DQB8", min_size=6, max_size=6))
    offers = data.draw(st.dictionaries(st.integers(0, 5), st.text("O0DQB8", max_size=3), max_size=6))
    found = find(Index(plates), text, read(text, offers), Matching(((5, 3),)))
    if isinstance(found, Found):
        for place, (have, want) in enumerate(zip(text, found.plate, strict=True)):
            assert have == want or want in offers.get(place, "")


def test_a_look_alike_that_the_reader_offered_is_taken() -> None:
    assert find(Index(["B123ABO"]), "B123AB0", read("B123AB0", {6: "O"}), ONE) == Found("B123ABO", 1)


def test_a_look_alike_offered_with_too_little_confidence_is_not() -> None:
    characters = everything_offered("B123AB0", confidence=0.04)
    found = find(Index(["B123ABO"]), "B123AB0", characters, ONE)
    assert found == Absent("B123ABO", "the reader offered O for the character 7 with 0.04, below 0.05")


def test_two_that_are_equally_near_are_ambiguous_even_if_only_one_was_offered() -> None:
    found = find(Index(["B123ABO", "B123ABD"]), "B123AB0", read("B123AB0", {6: "O"}), ONE)
    assert found == Ambiguous(("B123ABD", "B123ABO"))


def test_the_exact_plate_wins_over_every_look_alike() -> None:
    assert find(Index(["B123ABO", "B123AB0"]), "B123AB0", everything_offered("B123AB0"), TWO) == Found("B123AB0")


def test_the_budget_goes_by_the_length_of_the_plate() -> None:
    for text, listed, found in (
        ("A0", "AO", Absent()),
        ("ABC10", "ABC1O", Found("ABC1O", 1)),
        ("ABCD10", "ABCDIO", Absent("ABCDIO", "it differs in more than 1")),
        ("ABCDEF10", "ABCDEFIO", Found("ABCDEFIO", 2)),
    ):
        assert find(Index([listed]), text, everything_offered(text), TWO) == found


@pytest.mark.parametrize(
    ("text", "listed"), [("AB123", "AB12"), ("AB12", "AB123"), ("ABC12", "ABE12"), ("ABC12", "ABC21")]
)
def test_missing_additional_exchanged_and_foreign_characters_are_never_forgiven(text: str, listed: str) -> None:
    assert find(Index([listed]), text, everything_offered(text), Matching(((2, 3),))) == Absent()


def test_without_the_readers_characters_only_the_exact_text_is_found() -> None:
    assert find(Index(["B123ABO"]), "B123AB0", (), ONE) == Absent()
    assert find(Index(["B123ABO"]), "B123AB0", read("B123AB1"), ONE) == Absent()


def test_a_list_a_thousand_times_as_long_is_not_searched_line_by_line() -> None:
    text = "0050000A"
    characters = everything_offered(text)

    def took_s(plates: int) -> float:
        index = Index(f"{'ODQ0'[n % 4]}{n:06d}{'AB'[n % 2]}" for n in range(50_000 - plates // 2, 50_000 + plates // 2))
        times = []
        for _ in range(50):
            began = time.process_time()
            find(index, text, characters, TWO)
            times.append(time.process_time() - began)
        return min(times)

    assert took_s(100_000) < 100 * took_s(100)
