"""The examples in the docstrings of detection's modules say what is so."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = ("boxes", "decode", "detections", "fetching", "letterbox", "nms")


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    result = doctest.testmod(
        importlib.import_module(f"platefleet.models.{name}"), extraglobs={"np": __import__("numpy")}
    )
    assert result.attempted > 0
    assert result.failed == 0
