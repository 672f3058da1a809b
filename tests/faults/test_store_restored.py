"""A store that is restored from a backup while devices go on: they fill in what it lacks, and nothing is missing.

`make soak` lets the backup be five minutes old.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from platefleet.deploy.interrupts import Interrupts
from platefleet.deploy.simulate import committed
from platefleet.deploy.simulate.child import Plan
from platefleet.deploy.simulate.herd import Herd
from platefleet.deploy.simulate.programs import PLATEFLEET
from platefleet.deploy.simulate.site import Site
from tests.faults.judged import judged
from tests.faults.server import a_server
from tests.until import until

SOAK = os.environ.get("PLATEFLEET_SOAK") == "1"
OLD_S = float(os.environ.get("PLATEFLEET_SECONDS", "300")) if SOAK else 1.0
DEVICES = 60 if SOAK else 10
PASSES_A_MINUTE = 30.0
FORGOTTEN_LEAST = 20
"""Records that were committed after the backup; as many come afterwards, while the store is filled again."""
ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(OLD_S + 600)]


def fleet(folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([*PLATEFLEET, "fleet", *arguments], cwd=folder, env=environment, check=True)


def test_a_store_restored_from_an_old_backup_is_filled_again_by_the_devices(tmp_path: Path) -> None:
    with (
        a_server() as server,
        Site(tmp_path, workers=1, links=1, database=server.address, interrupts=Interrupts()) as s,
    ):

        def rows() -> int:
            return committed.count(server.address)

        plan = Plan("restored", [], "127.0.0.1", 0, str(tmp_path), passes_a_minute=PASSES_A_MINUTE, stands_s=(0.3, 1.0))
        names = [f"north-{number}" for number in range(1, DEVICES + 1)]
        herd = Herd(plan, names, [s.links[0].port], tmp_path, Interrupts())
        try:
            until(lambda: rows() > DEVICES, 60, 0.1)
            fleet(tmp_path, "backup", "backup", "--database", server.address)
            began, then = time.monotonic(), rows()
            until(lambda: herd.look() and time.monotonic() - began >= OLD_S, OLD_S + 60, 0.2)
            until(lambda: rows() - then >= FORGOTTEN_LEAST, 60, 0.1)
            s.workers[0].end()
            held = rows()
            fleet(tmp_path, "restore", "backup", "--yes", "--database", server.address)
            kept = rows()
            s.broker.kill()  # who connects anew asks at once; who does not, within ten minutes
            s.start_broker()
            s.workers[0].start()
            until(lambda: rows() >= held + FORGOTTEN_LEAST, 300, 0.2)
            herd.rest()
            assert herd.wait(lambda report: report["waiting"] == 0, 300), herd.look()
            until(lambda: not judged(tmp_path, server).missing, 300, 0.5)
            ledger = judged(tmp_path, server)
        finally:
            herd.end()
    print(f"\nbackup {OLD_S:g} s old, {DEVICES} devices: {held} rows before, {kept} restored; {ledger.line()}")
    assert kept <= held - FORGOTTEN_LEAST
    assert ledger.equal, ledger.differences()
    assert ledger.committed == ledger.appended > held - DEVICES
