"""Signals that end a run: none is lost, whatever the program was at when it came."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from platefleet.deploy.demo.clip import by_name, render
from platefleet.deploy.demo.scene import demo_scene
from platefleet.deploy.interrupts import ENDING, Interrupts
from platefleet.deploy.simulate.child import Plan
from platefleet.deploy.simulate.herd import Herd
from platefleet.deploy.simulate.ledger import LedgerFile
from platefleet.deploy.simulate.programs import Program
from platefleet.deploy.simulate.run import _judged
from platefleet.fleet.store.opening import open_store
from platefleet.models.weights import Materials
from platefleet.protocol.clock import SystemClock


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    before = {number: signal.getsignal(number) for number in ENDING}
    interrupts = Interrupts()
    interrupts.listen_once()
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_what_runs(interrupts: Interrupts, number: signal.Signals) -> None:
    interrupts.check()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_what_is_cleaned_up_then_is_not_interrupted_again(interrupts: Interrupts) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    for number in ENDING:
        signal.raise_signal(number)


def test_a_signal_that_a_library_swallowed_ends_the_next_loop(interrupts: Interrupts) -> None:
    done = []

    def work() -> None:
        for number in interrupts.checking(range(5)):
            if number == 2:
                with suppress(KeyboardInterrupt):  # as a module that Cython compiled, while it is imported
                    signal.raise_signal(signal.SIGINT)
            done.append(number)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [0, 1, 2]


def test_a_ctrl_c_that_may_come_again_is_remembered_too(interrupts: Interrupts) -> None:
    interrupts.listen()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert interrupts.heard


@pytest.fixture
def heard() -> Interrupts:
    interrupts = Interrupts()
    interrupts.heard = True
    return interrupts


@pytest.mark.materials
def test_no_frame_is_drawn_after_a_signal(heard: Interrupts, materials: Materials) -> None:
    with pytest.raises(KeyboardInterrupt):
        next(render(demo_scene(1, 10.0), by_name(materials.photos), heard))


def test_no_report_is_waited_for_after_a_signal(heard: Interrupts, tmp_path: Path) -> None:
    herd = Herd(Plan("1", [], "127.0.0.1", 0, str(tmp_path)), [], [], tmp_path, heard)
    with pytest.raises(KeyboardInterrupt):
        herd.wait(lambda _: False, 60.0)


def test_no_program_is_waited_for_after_a_signal(heard: Interrupts, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        Program("sleeper", ["sleep", "60"], tmp_path).wait(lambda: False, 60.0, heard)


def test_nothing_is_compared_again_after_a_signal(heard: Interrupts, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/store.db"
    open_store(database, clock=SystemClock()).close()
    ledger = LedgerFile(tmp_path / "ledger", "d")
    ledger.note("kept", device="d", epoch="e", seq=2, digest="0f")
    ledger.close()
    with pytest.raises(KeyboardInterrupt):
        _judged(tmp_path, database, ledger.kept, 60.0, heard)
