"""The rounds' links stall for so long that a gate which looks at no age opens late, and their judge sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from platefleet.deploy.simulate.programs import PLATEFLEET
from tests.faults.databases import SqliteFile
from tests.faults.rounds import KINDS, STALLS_S, Fault, plan
from tests.faults.test_rounds import ALLOWED, STRANGERS
from tests.faults.world import LATE_S, World

TRIES = 10
"""A lane may be empty while its link stalls."""
AGELESS = (PLATEFLEET[0], "-m", "tests.faults.ageless_gate")


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_gate_that_looks_at_no_age_is_seen_to_open_late(tmp_path: Path) -> None:
    database = SqliteFile(tmp_path / "store.db")
    with World(tmp_path, database, seed="late", allowed=ALLOWED, strangers=STRANGERS, gate=AGELESS) as world:
        world.until_opened()
        for _ in range(TRIES):
            world.suffer([Fault(0.0, STALLS_S[1], "stall agent's link", dice=0.9)])
            world.recover()
            if world.pulses().late:
                break
        assert world.pulses().late


def test_many_stalls_of_the_rounds_are_long_enough_for_that() -> None:
    stalls = [fault for number in range(100) for fault in plan(f"1/{number}", KINDS) if "stall" in fault.kind]
    assert sum(fault.for_s > LATE_S + 1.0 for fault in stalls) > len(stalls) / 4 > 5
