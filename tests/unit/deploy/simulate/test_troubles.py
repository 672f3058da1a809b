"""What a simulation cannot do without: the broker, the store and its own ledger, each missed in one sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rich.console import Console

from platefleet.deploy.demo.broker import free_port
from platefleet.deploy.interrupts import Interrupts
from platefleet.deploy.simulate.ledger import ROTATED_BYTES, LedgerFile
from platefleet.deploy.simulate.run import Options, _judged, run
from platefleet.fleet.store.opening import open_store
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.errors import SessionError, StoreError


def test_somebodys_store_that_is_not_there_ends_it_before_a_vehicle_comes(tmp_path: Path) -> None:
    options = Options(
        1, 6.0, 1.0, broker=("127.0.0.1", free_port()), database=f"sqlite:///{tmp_path}/none.db", out=tmp_path
    )
    with pytest.raises(StoreError, match=r"none.db: cannot be read .*; is it the store's database\?"):
        run(options, Console(), Interrupts())


def test_somebodys_broker_that_is_not_there_ends_it_before_a_vehicle_comes(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/store.db"
    open_store(database, clock=SystemClock()).close()
    options = Options(1, 6.0, 1.0, broker=("127.0.0.1", free_port()), database=database, out=tmp_path)
    with pytest.raises(SessionError, match=r"cannot be reached: Connection refused; check --broker and that"):
        run(options, Console(), Interrupts())
    assert not (tmp_path / "ledger").exists()


@pytest.mark.parametrize("notes", [1, ROTATED_BYTES // 20])
def test_a_ledger_that_was_deleted_is_noticed_by_whoever_writes_it(tmp_path: Path, notes: int) -> None:
    ledger = LedgerFile(tmp_path / "ledger", "d")
    for _ in range(notes):
        ledger.note("kept", device="d")
    ledger.flush()
    shutil.rmtree(tmp_path / "ledger")
    ledger.note("kept", device="d")
    with pytest.raises(StoreError, match=r"ledger: the ledger was deleted while it was written"):
        ledger.flush()


def test_a_ledger_that_lacks_notes_is_not_compared(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/store.db"
    open_store(database, clock=SystemClock()).close()
    ledger = LedgerFile(tmp_path / "ledger", "d")
    ledger.note("kept", device="d", epoch="e", seq=2, digest="0f")
    ledger.close()
    assert len(_judged(tmp_path, database, ledger.kept, 0.0, Interrupts()).missing) == 1
    shutil.rmtree(tmp_path / "ledger")
    with pytest.raises(StoreError, match=r"holds 0 of the 1 records that were noted there"):
        _judged(tmp_path, database, ledger.kept, 0.0, Interrupts())
