"""Who an order is meant for, where a fleet has gates among its devices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from platefleet.fleet.console.commands.desk import Open, opened
from platefleet.fleet.console.errors import ConsoleError
from platefleet.fleet.console.known import Known, Wanted
from platefleet.protocol.errors import StoreError


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Open]:
    with opened(f"sqlite:///{tmp_path}/console.db", make=True) as open_:
        open_.book.enrol("north-1", site="north", labels=("canary",), now_ns=open_.now_ns)
        open_.book.enrol("barrier-north", site="north", labels=("outside",), now_ns=open_.now_ns, kind="gate")
        yield open_


def names(devices: list[Known]) -> list[str]:
    return [each.name for each in devices]


@pytest.mark.parametrize("wanted", [Wanted(everything=True), Wanted(site="north"), Wanted(label="canary")])
def test_an_order_for_many_is_for_agents_and_passes_over_gates(console: Open, wanted: Wanted) -> None:
    assert names(console.commanded(wanted)) == ["north-1"]


def test_a_gate_that_is_named_is_meant_so_that_somebody_says_why_not(console: Open) -> None:
    assert names(console.commanded(Wanted(names=("barrier-north",)))) == ["barrier-north"]


def test_an_order_for_gates_alone_is_refused(console: Open) -> None:
    with pytest.raises(ConsoleError, match="only gates fit what was said"):
        console.commanded(Wanted(label="outside"))


def test_who_looks_sees_gates_too(console: Open) -> None:
    assert sorted(names(console.meant(Wanted(site="north")))) == ["barrier-north", "north-1"]


def test_who_asks_makes_no_database(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError, match="there is none here; name it with --console"),
        opened(f"sqlite:///{tmp_path}/c.db"),
    ):
        pass
    assert not list(tmp_path.iterdir())
