"""Plates are lent to one point at a time, and rest as long as a controller takes them for the same car."""

from __future__ import annotations

import itertools

import pytest

from platefleet.fleet.conformance.controller.plates import OWN, REST_NS, Plates
from platefleet.fleet.conformance.controller.points import Fence, points
from platefleet.protocol.errors import ConfigError

LOOK_ALIKE = set("O0DQI1B8S5Z2G6")
FOUR = ("A1", "A3", "A4", "A7")


def test_a_plate_is_lent_once_until_it_has_rested() -> None:
    plates = Plates(FOUR)
    taken = plates.take(3, now_ns=0)
    assert len(set(taken)) == 3
    assert plates.take(3, now_ns=0) == tuple(set(FOUR) - set(taken))
    plates.give_back(taken, now_ns=10)
    assert plates.free(now_ns=9 + REST_NS) == 0
    assert plates.free(now_ns=10 + REST_NS) == 3


def test_a_stranger_is_on_no_list() -> None:
    plates = Plates((*FOUR, "WWY0007"))
    assert plates.stranger(7) not in plates.all
    assert plates.stranger(8) == "WWY0008"


def test_the_kits_own_plates_are_no_look_alikes_and_enough_for_a_run_without_waiting() -> None:
    assert len(set(OWN)) == len(OWN)
    assert not LOOK_ALIKE & set(itertools.chain.from_iterable(OWN))
    every = points(5000)
    needed = sum(len(p.opens) + sum(isinstance(step, Fence) for step in p.steps) + p.alone for p in every) + 1
    assert needed <= len(OWN)


@pytest.mark.parametrize("listed", [FOUR[:3], (*FOUR, "A-1"), (*FOUR, "a1"), (*FOUR, "A" * 13), (*FOUR, "")])
def test_plates_that_cannot_be_used_are_one_sentence(listed: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="--listed"):
        Plates(listed)
