"""The examples in the docstrings of the questions are run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from platefleet.fleet import questions

MODULES = sorted(module.name for module in pkgutil.iter_modules(questions.__path__, f"{questions.__name__}."))


@pytest.mark.parametrize("name", MODULES)
def test_an_example_says_the_truth(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
