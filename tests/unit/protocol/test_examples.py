"""The examples in the docstrings of the protocol say what is so."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = (
    "codec",
    "delivery.coverage",
    "delivery.frame",
    "delivery.durable.epoch",
    "delivery.gone",
    "delivery.range_set",
    "envelope",
    "generate.json_form",
    "ids",
    "moments",
    "printable",
    "topics",
    "trust.authorize",
    "trust.public_key",
    "trust.roots",
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"platefleet.protocol.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
