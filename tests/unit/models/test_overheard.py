"""What native code writes to standard error, caught."""

from __future__ import annotations

import os

import pytest

from platefleet.models.overheard import overheard


def test_lines_written_below_python_are_caught_and_later_ones_are_not(capfd: pytest.CaptureFixture[str]) -> None:
    with overheard() as words:
        os.write(2, b"libpng error: bad\n\n  moov atom not found \xff\n")
    os.write(2, b"after\n")
    assert words == ["libpng error: bad", "moov atom not found \ufffd"]
    assert capfd.readouterr().err == "after\n"


def test_standard_error_is_back_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    words: list[str] = []

    def fail() -> None:
        nonlocal words
        with overheard() as words:
            os.write(2, b"heard\n")
            raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        fail()
    assert words == ["heard"]
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
