"""A store whose process is killed in the middle of commits."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from platefleet.fleet.store.opening import open_store
from platefleet.protocol.clock import SystemClock
from tests.seen import Seen

ROOT = Path(__file__).resolve().parents[3]
STATEMENTS = 150
"""About as many as twelve batches need, counted before and after each."""


@pytest.mark.parametrize("some", range(4))
def test_after_a_kill_at_any_statement_the_rows_are_the_coverage_and_nothing_told_is_missing(
    tmp_path: Path, some: int
) -> None:
    for seed in range(some * 5, some * 5 + 5):
        url = f"sqlite:///{tmp_path}/{seed}.db"
        statement = random.Random(seed).randint(1, STATEMENTS)
        child = subprocess.run(
            [sys.executable, "-m", "tests.contracts.store.crashing", url, str(seed), str(statement)],
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert child.returncode in (0, -signal.SIGKILL), child.stderr.decode()
        told = {int(seq) for line in child.stdout.decode().splitlines() for seq in line.split()}
        open_store(url, clock=SystemClock()).close()
        seen = Seen(url)
        names = seen.names()
        assert names == seen.covered_names(), f"seed {seed}, statement {statement}"
        assert told <= {seq for *_, seq in names}, f"seed {seed}, statement {statement}"
        assert seen.rows("SELECT count(*) FROM plates") == [(len(names),)]
