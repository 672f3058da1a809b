"""The install id: made once with the outbox's database."""

from __future__ import annotations

from pathlib import Path

import pytest

from platefleet.protocol.delivery.durable import open_outbox
from platefleet.protocol.delivery.install import NOTE, install_id
from platefleet.protocol.delivery.outbox import MemoryOutbox
from tests.turned_clock import TurnedClock


def of(path: Path) -> str:
    outbox = open_outbox(path, clock=TurnedClock())
    try:
        return install_id(outbox)
    finally:
        outbox.close()


def test_it_stays_over_restarts_and_is_another_in_another_database(tmp_path: Path) -> None:
    first = of(tmp_path / "a")
    assert of(tmp_path / "a") == first
    assert of(tmp_path / "b") != first


@pytest.mark.parametrize("damaged", [b"", b"abc", b"\xff" * 32, b"0" * 33])
def test_what_is_no_id_is_made_anew_and_kept(damaged: bytes) -> None:
    outbox = MemoryOutbox(clock=TurnedClock())
    outbox.keep({NOTE: damaged})
    made = install_id(outbox)
    assert len(made) == 32
    assert install_id(outbox) == made
