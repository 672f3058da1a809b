"""Aligned texts, counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.models.bench.confusion import aligned, confusion
from platefleet.models.reading import Character, Reading

texts = st.text("AB01", max_size=8)


@given(texts, texts)
def test_an_alignment_uses_every_character_once_and_in_order(true: str, read: str) -> None:
    pairs = aligned(true, read)
    assert "".join(character for character, _ in pairs) == true
    assert [place for _, place in pairs if place is not None] == list(range(len(read)))


@given(texts)
def test_a_right_reading_has_no_errors(text: str) -> None:
    assert all(true == text[place] for true, place in aligned(text, text) if place is not None)


def test_errors_come_with_what_the_reader_gave_the_true_character() -> None:
    wrong = Reading((Character("R", 0.99), Character("0", 0.7, (("O", 0.25),))))
    longer = Reading((Character("P", 0.9), Character("R", 0.99)))
    counted = confusion([("RO", wrong), ("R", longer)])
    assert counted.pairs == {("R", "R"): 2, ("O", "0"): 1, ("", "P"): 1}
    assert counted.alternatives == {("O", "0"): (0.25,)}
    assert (counted.right, counted.wrong) == ((0.99, 0.99), (0.7, 0.9))
    told = counted.as_json()
    assert told["errors"] == [["", "P", 1], ["O", "0", 1]]
    assert told["characters"] == 3
    assert told["mean confidence wrong"] == pytest.approx(0.8)


def test_nothing_read_is_nothing_wrong() -> None:
    assert confusion([]).as_json()["errors"] == []
