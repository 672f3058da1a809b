"""What the store lets go of: by site and kind, pictures first, and never what it answered for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from platefleet.fleet.cli import app
from platefleet.fleet.retention.periodic import PeriodicRetention
from platefleet.fleet.retention.plan import DAY_NS, Cut, plan
from platefleet.fleet.retention.run import A_TRANSACTION, let_go
from platefleet.fleet.retention.settings import Keep, Retention, Site, load
from platefleet.fleet.store.database import database_at
from platefleet.fleet.store.opening import open_store
from platefleet.fleet.store.port import Arrival, Batch
from platefleet.protocol.clock import SECOND_NS, SystemClock
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.messages import Message
from tests.record_builders import a_crop, a_decision, a_pass, a_record, an_opening
from tests.seen import Seen
from tests.turned_clock import TurnedClock
from tests.until import until

CLOCK = SystemClock()
NORTH = Site(name="north", devices=("north-*", "gate-1"), crops_days=7, plates_days=30)
RETENTION = Retention(default=Keep(crops_days=1), sites=(NORTH,))


def test_pictures_go_first_of_every_device_and_each_by_its_own_sites_days() -> None:
    cuts = plan(RETENTION, ["south-1", "north-1"], 100 * DAY_NS)
    assert cuts == (
        Cut("north-1", "crops", 93 * DAY_NS),
        Cut("south-1", "crops", 99 * DAY_NS),
        Cut("north-1", "plate", 70 * DAY_NS),
    )


def test_the_first_site_that_names_a_device_is_its_site_and_without_a_file_nothing_goes() -> None:
    later = Site(name="later", devices=("*",), crops_days=2)
    assert Retention(sites=(NORTH, later)).of("north-9") == NORTH
    assert Retention(sites=(NORTH, later)).of("south-1") == later
    assert plan(Retention(), ["north-1"], DAY_NS) == ()


def filled(url: str, days_old: float, *bodies: tuple[str, Message], first: int = 1, device: str = "north-1") -> None:
    store = open_store(url, clock=CLOCK)
    received = CLOCK.now().utc_ns - int(days_old * DAY_NS)
    records = [a_record(n, type=kind, body=body) for n, (kind, body) in enumerate(bodies, first)]
    arrivals = [Arrival(device, r, received, message=b) for r, (_, b) in zip(records, bodies, strict=True)]
    store.commit(Batch(arrivals))
    store.close()


def everything() -> list[tuple[str, Message]]:
    return [("plate", a_pass()), ("crops", a_crop()), ("decision", a_decision()), ("epoch", an_opening())]


def test_what_is_too_old_goes_with_its_rows_and_coverage_gaps_and_clocks_stay(url: str) -> None:
    filled(url, 40, *everything())
    filled(url, 10, *everything(), first=5)
    filled(url, 0, *everything(), first=9)
    before = Seen(url).coverage(), Seen(url).rows("SELECT * FROM boots")
    assert let_go(database_at(url), RETENTION, clock=CLOCK, stop=threading.Event()) == 3
    seen = Seen(url)
    assert [seen.count(table) for table in ("crops", "plates", "decisions", "epochs", "records")] == [1, 2, 3, 3, 9]
    assert (seen.coverage(), seen.rows("SELECT * FROM boots")) == before
    assert let_go(database_at(url), RETENTION, clock=CLOCK, stop=threading.Event()) == 0


def test_what_is_in_quarantine_is_as_old_as_anything(url: str) -> None:
    store = open_store(url, clock=CLOCK)
    store.commit(Batch([Arrival("north-1", a_record(1, type="plate", body=b"?"), 1, undecodable="why")]))
    store.close()
    assert let_go(database_at(url), RETENTION, clock=CLOCK, stop=threading.Event()) == 1
    assert Seen(url).count("quarantine") == Seen(url).count("records") == 0


def test_much_goes_in_small_transactions_and_stops_when_asked(url: str) -> None:
    filled(url, 40, *[("crops", a_crop(100))] * (2 * A_TRANSACTION + 50))
    stop = threading.Event()
    stop.set()
    assert let_go(database_at(url), RETENTION, clock=CLOCK, stop=stop) == 0
    assert let_go(database_at(url), RETENTION, clock=CLOCK, stop=threading.Event()) == 2 * A_TRANSACTION + 50


def test_beside_ingest_it_runs_by_itself_and_goes_on_after_a_store_that_was_away(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    url = f"sqlite:///{path}"
    sweeping = PeriodicRetention(database_at(url), RETENTION, clock=CLOCK, first_s=0.01, every_s=0.01)
    sweeping.start()  # there is no database yet
    filled(url, 40, *everything())
    until(lambda: Seen(url).count("crops") == 0)
    sweeping.stop()


def test_a_clock_that_starts_in_1970_lets_nothing_go(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    filled(url, 40, *everything())
    clock = TurnedClock()
    clock.turn(-clock.now().utc_ns / SECOND_NS)
    assert let_go(database_at(url), RETENTION, clock=clock, stop=threading.Event()) == 0


def test_the_command_reads_the_file_and_tells_what_went(url: str, tmp_path: Path) -> None:
    filled(url, 40, *everything())
    (tmp_path / "retention.toml").write_text('[[sites]]\nname = "n"\ndevices = ["north-*"]\ncrops_days = 7\n')
    arguments = ["retention", "run", "--retention", str(tmp_path / "retention.toml"), "--database", url]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.output == "north-1\tcrops\t1\nretention: let go of 1 records\n"


@pytest.mark.parametrize(
    "text", ["[default]\ncrop_days = 7", "[default]\ncrops_days = 0", "[[sites]]\nname = 'n'", "="]
)
def test_a_file_that_is_not_right_lets_nothing_go(tmp_path: Path, text: str) -> None:
    (tmp_path / "retention.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"retention\.toml"):
        load(tmp_path / "retention.toml")
