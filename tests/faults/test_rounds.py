"""Rounds of seeded faults over all five programs: appended ⊆ committed ⊆ handed over, no pulse twice, none late.

`PLATEFLEET_SEED=… PLATEFLEET_ROUNDS=…` replays what was seen. `make soak` runs a hundred rounds.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from platefleet.deploy.simulate.traffic import plate
from tests.faults.clocked import FAKETIME
from tests.faults.databases import Database, SqliteFile
from tests.faults.rounds import KINDS, Kind, plan
from tests.faults.server import a_server
from tests.faults.world import World

SOAK = os.environ.get("PLATEFLEET_SOAK") == "1"
SEED = os.environ.get("PLATEFLEET_SEED") or (str(random.SystemRandom().randrange(10**6)) if SOAK else "")
"""Empty: that of a short round of steps and full disks, and of one of kills, a reboot and a clone."""
ROUNDS = int(os.environ.get("PLATEFLEET_ROUNDS") or (100 if SOAK else 1))
PLATES = [plate(random.Random(f"plate {number}")) for number in range(400)]
ALLOWED, STRANGERS = PLATES[:300], PLATES[300:]
pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(600 + 90 * ROUNDS)]


def usable(*, own_database: bool) -> list[Kind]:
    """Return what can happen on this machine with this store."""
    missing: set[Kind] = {kind for kind in KINDS if "wall clock" in kind and FAKETIME is None}
    missing |= {"fill store's disk"} if own_database else {"kill database"}
    return [kind for kind in KINDS if kind not in missing]


def live_through(folder: Path, database: Database, kinds: list[Kind], *, seed: str = SEED) -> None:
    with World(folder, database, seed=seed, allowed=ALLOWED, strangers=STRANGERS) as world:
        print(f"\nseed {world.seed}, {ROUNDS} rounds")
        for number in range(1, ROUNDS + 1):
            faults = plan(f"{world.seed}/{number}", kinds, least=2 if SOAK else 5)
            world.suffer(faults)
            world.recover()
            ledger, pulses = world.ledger(), world.pulses()
            told = ", ".join(f"{fault.kind} {fault.at_s:.1f}+{fault.for_s:.1f}" for fault in faults)
            print(f"round {number}: {told}\n  {ledger.line()}; {pulses.line()}", flush=True)
            assert [*ledger.twice, *ledger.foreign, *ledger.different, *ledger.reused] == []
            assert world.machines.clocks_wrong(database.address) == []
            assert pulses.right, pulses
        world.rest()
        ledger = world.ledger()
        print(f"in the end: {ledger.line()}; {world.pulses().line()}")
        assert ledger.equal, ledger.differences()
        assert ledger.committed + ledger.gone + ledger.excused >= ledger.appended > ledger.excused


def test_nothing_is_lost_doubled_or_opened_twice_with_a_store_in_sqlite(tmp_path: Path) -> None:
    live_through(tmp_path, SqliteFile(tmp_path / "store.db"), usable(own_database=False), seed=SEED or "7")


def test_nothing_is_lost_doubled_or_opened_twice_with_a_store_in_postgresql(tmp_path: Path) -> None:
    with a_server() as server:
        live_through(tmp_path, server, usable(own_database=True), seed=SEED or "362")
