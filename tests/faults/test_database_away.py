"""A database that is away while devices go on: memory stays bounded, and afterwards nothing is missing.

`make soak` takes it away for two minutes.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from platefleet.deploy.interrupts import Interrupts
from platefleet.deploy.simulate import committed
from platefleet.deploy.simulate.child import Plan
from platefleet.deploy.simulate.herd import Herd
from platefleet.deploy.simulate.site import Site
from tests.faults.judged import judged
from tests.faults.server import a_server
from tests.until import until

SOAK = os.environ.get("PLATEFLEET_SOAK") == "1"
AWAY_S = 120.0 if SOAK else 3.0
DEVICES = 60 if SOAK else 10
PASSES_A_MINUTE = 30.0
INGEST_GROWS_BYTES = 160 << 20
"""16 MiB wait for the database, and 2,000 messages of at most 64 KiB for the inbox; then they are sent again."""
BROKER_GROWS_BYTES = 64 << 20
"""It holds what ingest has not taken, and ingest takes everything: what finds no place there is sent again."""
pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_database_that_is_away_costs_no_record_and_no_memory_without_end(tmp_path: Path) -> None:
    with (
        a_server() as server,
        Site(tmp_path, workers=1, links=1, database=server.address, interrupts=Interrupts()) as site,
    ):
        plan = Plan("away", [], "127.0.0.1", 0, str(tmp_path), passes_a_minute=PASSES_A_MINUTE, stands_s=(0.3, 1.0))
        names = [f"north-{number}" for number in range(1, DEVICES + 1)]
        herd = Herd(plan, names, [site.links[0].port], tmp_path, Interrupts())
        try:
            until(lambda: committed.count(server.address) > DEVICES, 60, 0.1)
            before = [site.workers[0].memory_bytes(), site.broker.memory_bytes()]
            most = list(before)
            server.kill()
            began = time.monotonic()
            while time.monotonic() - began < AWAY_S:
                herd.look()
                now = [site.workers[0].memory_bytes(), site.broker.memory_bytes()]
                most = [max(pair) for pair in zip(most, now, strict=True)]
                time.sleep(0.2)
            waited = herd.look()
            server.start()
            herd.rest()
            assert herd.wait(lambda report: report["waiting"] == 0, 240), herd.look()
            ledger = judged(tmp_path, server)
        finally:
            herd.end()
    grown = [(after - first) / 2**20 for first, after in zip(before, most, strict=True)]
    print(f"\naway {AWAY_S:g} s, {waited}: ingest grew by {grown[0]:.1f} MiB, broker by {grown[1]:.1f} MiB")
    print(ledger.line())
    assert ledger.equal, ledger.differences()
    assert ledger.committed == ledger.appended > DEVICES
    assert most[0] - before[0] < INGEST_GROWS_BYTES
    assert most[1] - before[1] < BROKER_GROWS_BYTES
