"""CTC decoding over a plate's alphabet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from platefleet.models.ctc import ALPHABET, Fold, Probabilities, decode, most_certain, spelled_as
from platefleet.models.reading import Character

SYMBOLS = [*ALPHABET, "-", ".", "Ａ", "o", "b", "中", " "]


def path(*classes: int, sure: float = 0.9, alphabet: str = ALPHABET) -> Probabilities:
    """Probabilities whose best class at each step is given."""
    lines = np.full((len(classes), 1 + len(alphabet)), (1 - sure) / len(alphabet), np.float32)
    lines[np.arange(len(classes)), classes] = sure
    return lines


def text(characters: tuple[Character, ...]) -> str:
    return "".join(character.text for character in characters)


probabilities = (
    st.integers(0, 30)
    .flatmap(lambda steps: arrays(np.float32, (steps, 37), elements=st.floats(0, 1, width=32)))
    .map(lambda lines: (lines + np.float32(1e-3)) / (lines + np.float32(1e-3)).sum(axis=1, keepdims=True))
)


@given(st.lists(st.integers(0, 36), max_size=40))
def test_repeats_are_joined_and_blanks_dropped_as_ctc_defines_it(classes: list[int]) -> None:
    joined = [c for i, c in enumerate(classes) if c and (i == 0 or classes[i - 1] != c)]
    assert text(decode(path(*classes), most=99)) == "".join(ALPHABET[c - 1] for c in joined)


@given(probabilities)
def test_characters_and_their_alternatives_share_a_probability_of_at_most_one(lines: Probabilities) -> None:
    for character in decode(lines):
        others = [confidence for _, confidence in character.alternatives]
        assert 0 < character.confidence <= 1
        assert character.confidence + sum(others) <= 1 + 1e-4
        assert others == sorted(others, reverse=True)
        assert character.text not in [other for other, _ in character.alternatives]


@given(probabilities, st.integers(1, 12))
def test_no_plate_has_more_characters_than_allowed(lines: Probabilities, most: int) -> None:
    assert len(decode(lines, most=most)) <= most


def test_the_least_certain_characters_go_first_and_the_order_stays() -> None:
    characters = tuple(Character(c, p) for c, p in zip("ABCD", (0.9, 0.2, 0.8, 0.95), strict=True))
    assert text(most_certain(characters, 3)) == "ACD"


def test_a_confidence_is_the_highest_of_its_run() -> None:
    lines = np.concatenate([path(1, sure=0.5), path(1, sure=0.8), path(1, sure=0.6)])
    assert [c.confidence for c in decode(lines)] == [pytest.approx(0.8)]


def test_a_twin_needs_a_blank_between() -> None:
    assert text(decode(path(11, 11, 0, 11))) == "AA"
    assert text(decode(path(11, 11, 11))) == "A"


def test_no_steps_give_no_characters() -> None:
    assert decode(np.zeros((0, 37), np.float32)) == ()


@given(arrays(np.float32, (5, 1 + len(SYMBOLS)), elements=st.floats(0, 1, width=32)))
def test_folding_loses_no_probability(output: Probabilities) -> None:
    output = (output + np.float32(1e-3)) / (output + np.float32(1e-3)).sum(axis=1, keepdims=True)
    folded = Fold(SYMBOLS)(output)
    assert folded.shape == (5, 37)
    np.testing.assert_allclose(folded.sum(axis=1), 1, atol=1e-5)


def test_what_is_no_character_of_a_plate_counts_as_none() -> None:
    output = np.zeros((1, 1 + len(SYMBOLS)), np.float32)
    output[0, 1 + SYMBOLS.index("-")] = 0.6
    output[0, 1 + SYMBOLS.index("A")] = 0.4
    assert Fold(SYMBOLS)(output)[0, 0] == pytest.approx(0.6)
    assert decode(Fold(SYMBOLS)(output)) == ()


def test_a_symbol_of_the_same_shape_counts_as_the_character() -> None:
    output = np.zeros((1, 1 + len(SYMBOLS)), np.float32)
    for symbol, share in (("A", 0.3), ("Ａ", 0.3), ("b", 0.4)):
        output[0, 1 + SYMBOLS.index(symbol)] = share
    assert Fold(SYMBOLS)(output)[0, 1 + ALPHABET.index("A")] == pytest.approx(0.6)


def test_another_alphabet_keeps_its_own_separators() -> None:
    assert spelled_as("-", "AB-") == "-"
    assert spelled_as("-") is None


@pytest.mark.parametrize("alphabet", ["", "AA", "AÄ"])
def test_an_alphabet_that_the_model_cannot_write_is_refused(alphabet: str) -> None:
    with pytest.raises(ValueError, match=r"alphabet|no symbol"):
        Fold(SYMBOLS, alphabet)
