"""Plate formats settle O or 0, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.models.ctc import ALPHABET
from platefleet.models.formats import FORMATS, Format, find_format, parse_format
from platefleet.models.reading import Character, Reading
from platefleet.protocol.errors import ConfigError

EU = find_format("eu")
SLOVAK = find_format("sk")


def a_reading(text: str, confidence: float = 0.9, **alternatives: float) -> Reading:
    """A reading whose every O and 0 has the other as an alternative of the given probability."""
    other = {"O": "0", "0": "O"}
    share = alternatives.get("other", 0.05)
    return Reading(
        tuple(Character(c, confidence, ((other[c], share), ("Q", 0.01)) if c in other else ()) for c in text)
    )


@given(st.text(ALPHABET, max_size=12), st.sampled_from(sorted(FORMATS)))
def test_no_character_but_o_and_0_ever_changes(text: str, name: str) -> None:
    before = a_reading(text)
    after = find_format(name).settle(before)
    assert len(after.characters) == len(before.characters)
    for was, now in zip(before.characters, after.characters, strict=True):
        if was.text in "O0":
            assert now.text in "O0"
        else:
            assert now == was
        assert 0 <= now.confidence <= 1


@given(st.text("O0AB12", max_size=12))
def test_settling_twice_is_settling_once(text: str) -> None:
    once = EU.settle(a_reading(text))
    assert EU.settle(once).text == once.text


@given(st.text(ALPHABET, max_size=12))
def test_a_text_that_fits_one_way_only_comes_out_fitting(text: str) -> None:
    settled = SLOVAK.settle(a_reading(text)).text
    assert settled == text or SLOVAK.fits(settled)


@pytest.mark.parametrize(
    ("read", "meant"),
    [("RK3OOAG", "RK300AG"), ("PP587A0", "PP587AO"), ("BB135B0", "BB135BO"), ("0O123OO", "OO123OO"), ("M0N0", "M0N0")],
)
def test_a_place_for_a_letter_is_an_o_and_one_for_a_digit_a_0(read: str, meant: str) -> None:
    assert SLOVAK.settle(a_reading(read)).text == meant


def test_i_and_1_stay_as_read() -> None:
    assert SLOVAK.settle(a_reading("RK776A1")).text == "RK776A1"
    assert SLOVAK.settle(a_reading("RKI0OAB")).text == "RKI0OAB"


def test_where_a_format_leaves_both_the_reader_decides() -> None:
    either = parse_format("either", ["AA999*"])
    assert either.settle(a_reading("RK1230", 0.9, other=0.05)).text == "RK1230"
    assert either.settle(a_reading("RK1230", 0.3, other=0.6)).text == "RK123O"


def test_what_a_format_settles_is_no_longer_in_doubt_between_the_two() -> None:
    settled = SLOVAK.settle(a_reading("RK3O1AG", 0.6, other=0.3)).characters[3]
    assert settled.text == "0"
    assert settled.confidence == pytest.approx(0.9)
    assert settled.alternatives == (("Q", 0.01),)


def test_a_letter_that_a_country_does_not_issue_is_not_read() -> None:
    france = parse_format("france", ["[^IOU]{2}999[^IOU]{2}"])
    assert not france.fits("AO123BC")
    assert france.fits("AB123CD")


@pytest.mark.parametrize(
    "pattern", ["", "AA-999", "a9", "A{3,1}", "A{17}", "9{0}", "A{2", "[A-Z]", "[^1]", "A+", "(A)", "A{1,999}"]
)
def test_a_pattern_that_is_none_names_its_key(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"formats\.mine"):
        parse_format("mine", [pattern])


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'mars' is not known.*eu"):
        find_format("mars")


def test_a_configurations_own_format_comes_before_a_built_in_one() -> None:
    assert find_format("eu", {"eu": ["999"]}) == Format("eu", ("999",))


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_built_in_format_is_well_formed(name: str) -> None:
    assert find_format(name).patterns
