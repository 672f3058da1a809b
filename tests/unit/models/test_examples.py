"""The examples in the docstrings of detection's modules say what is so."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest

MODULES = (
    "bench.confusion",
    "boxes",
    "ctc",
    "decode",
    "detections",
    "fetching",
    "formats",
    "letterbox",
    "merge",
    "nms",
    "pictures",
    "rectify",
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    module = importlib.import_module(f"platefleet.models.{name}")
    with np.printoptions(formatter=None, linewidth=75):  # importing ultralytics, as other tests do, changes these
        result = doctest.testmod(module, extraglobs={"np": np})
    assert result.attempted > 0
    assert result.failed == 0
