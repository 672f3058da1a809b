"""Revisions of the schema, up and down, with data, on both databases."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import MetaData, inspect
from typer.testing import CliRunner

from platefleet.fleet.cli import app
from platefleet.fleet.store import tables
from platefleet.fleet.store.database import database_at
from platefleet.fleet.store.errors import ForeignDatabase, StoreAway
from platefleet.fleet.store.keeping import described, downgraded, upgraded
from platefleet.fleet.store.opening import open_store
from platefleet.fleet.store.port import Batch, Store
from platefleet.fleet.store.schema import NEWEST, migrate
from platefleet.protocol.clock import SystemClock
from tests.postgresql import Postgresql
from tests.record_builders import STAMP, a_crop, a_decision, a_pass, a_record, an_arrival, an_opening
from tests.seen import Seen
from tests.until import until

OLD = Path(__file__).with_name("schema_1.sql")
TABLES = [table.name for table in tables.METADATA.sorted_tables]


def filled(url: str) -> str:
    store = open_store(url, clock=SystemClock())
    bodies = [("plate", a_pass("AB12")), ("crops", a_crop()), ("decision", a_decision()), ("epoch", an_opening())]
    arrivals = [
        an_arrival(record=a_record(n, type=kind, body=body), body=body) for n, (kind, body) in enumerate(bodies, 1)
    ]
    store.commit(Batch(arrivals))
    store.close()
    return store.id


def contents(url: str, without: str = "") -> dict[str, list[tuple[object, ...]]]:
    return {
        name: Seen(url).rows(f'SELECT * FROM "{name}" ORDER BY 1, 2')
        for name in TABLES
        if name not in ("store", without)
    }


def test_down_and_up_again_every_row_is_as_before(url: str) -> None:
    filled(url)
    before = contents(url)
    assert all(before[name] for name in ("records", "plates", "crops", "decisions", "epochs", "coverage", "boots"))
    assert downgraded(url, 1).endswith("from schema 2 to 1")
    assert contents(url, without="boots") == {name: rows for name, rows in before.items() if name != "boots"}
    assert "boots" not in dict.fromkeys(inspected(url))
    assert upgraded(url).endswith("from schema 1 to 2")
    assert contents(url) == before


def inspected(url: str) -> list[str]:
    with database_at(url).begin(any_schema=True) as connection:
        return inspect(connection).get_table_names()


def test_an_upgrade_learns_the_clocks_from_what_is_there_and_believes_the_kernel_first(url: str) -> None:
    store = open_store(url, clock=SystemClock())
    for seq, (clock, utc_ns) in enumerate([("assumed", 900), ("synced", 500), ("unsynced", 5)], 1):
        stamp = STAMP.model_copy(update={"clock": clock, "utc_ns": utc_ns, "mono_ns": 100})
        body = a_pass().model_copy(update={"captured": stamp, "first_seen": stamp})
        store.commit(Batch([an_arrival(record=a_record(seq, body=body), body=body)]))
    store.close()
    downgraded(url, 1)
    upgraded(url)
    assert Seen(url).rows("SELECT utc_minus_mono_ns FROM boots") == [(400,)]


def test_the_revisions_make_the_tables_that_the_program_asks(url: str) -> None:
    filled(url)
    found = MetaData()
    with database_at(url).begin() as connection:
        found.reflect(connection)
    for table in tables.METADATA.sorted_tables:
        made = found.tables[table.name]
        assert [c.name for c in made.columns] == [c.name for c in table.columns], table.name
        assert [c.nullable for c in made.columns] == [c.nullable for c in table.columns], table.name
        assert [c.name for c in made.primary_key] == [c.name for c in table.primary_key], table.name
        assert {(i.name, tuple(c.name for c in i.columns)) for i in made.indexes} == {
            (i.name, tuple(c.name for c in i.columns)) for i in table.indexes
        }, table.name


def test_an_older_schema_stops_ingest_with_the_command_that_helps(url: str) -> None:
    filled(url)
    downgraded(url, 1)
    with pytest.raises(ForeignDatabase, match=r"schema 1, .* run `platefleet fleet database upgrade --database "):
        open_store(url, clock=SystemClock())


def test_a_running_store_stops_committing_when_its_schema_is_changed(url: str) -> None:
    filled(url)
    store = open_store(url, clock=SystemClock())
    downgraded(url, 1)
    with pytest.raises(ForeignDatabase, match="schema 1"):
        store.check()
    store.close()


def test_a_store_from_before_there_were_revisions_is_adopted_with_its_records(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.executescript(OLD.read_text())
    connection.close()
    with pytest.raises(ForeignDatabase, match="schema 1, "):
        open_store(url, clock=SystemClock())
    upgraded(url)
    store = open_store(url, clock=SystemClock())
    assert store.commit(Batch([an_arrival(body=a_pass("OLD1"))])).fresh == 0
    assert Seen(url).plates() == [("north-1", "in", 1, "OLD1")]
    assert Seen(url).rows("SELECT device, boot FROM boots") == [("north-1", STAMP.boot)]
    store.close()


def test_an_empty_database_is_made_a_store_once_however_many_workers_start_on_it(bare_url: str) -> None:
    ids: list[str] = []

    def start() -> None:
        store = until(patient, 60)
        ids.append(store.id)
        store.close()

    def patient() -> Store | None:
        try:
            return open_store(bare_url, clock=SystemClock())
        except StoreAway:  # locked by the other one: a program waits for it, too
            return None

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 3
    assert len(set(ids)) == 1


def test_all_the_way_down_leaves_nothing(url: str) -> None:
    filled(url)
    with database_at(url).begin() as connection:
        migrate(connection, 0)
    assert inspected(url) == ["alembic_version"]
    assert any("store: none" in line for line in described(url))


def test_a_migration_that_fails_half_way_changes_nothing(postgresql_server: Postgresql, empty_store: str) -> None:
    url = postgresql_server.database(empty_store)
    filled(url)
    downgraded(url, 1)
    with database_at(url).begin(any_schema=True) as connection:
        connection.exec_driver_sql("CREATE TABLE records_by_age (something int)")  # the index finds its name taken
    with pytest.raises(StoreAway, match="does not take what this program asks"):
        upgraded(url)
    assert "boots" not in inspected(url)


def test_the_commands_say_what_they_did(bare_url: str) -> None:
    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["database", *arguments, "--database", bare_url])
        assert result.exit_code == 0, result.output
        return result.output

    assert f"made, schema {NEWEST}" in run("upgrade")
    assert "schema 2 already" in run("upgrade")
    assert "from schema 2 to 1" in run("downgrade", "1")
    assert "schema: 1 (this program's: 2)" in run("show")
    assert "from schema 1 to 2" in run("upgrade")


def test_a_file_that_never_was_is_said_with_where_to_name_the_right_one(tmp_path: Path) -> None:
    for words in (["database", "show"], ["quarantine", "list"], ["backup", str(tmp_path / "backup")]):
        asked = CliRunner().invoke(app, [*words, "--database", f"sqlite:///{tmp_path}/store.db"])
        assert str(asked.exception) == (
            f"store {tmp_path}/store.db: there is no such file; name the store with --database or "
            "PLATEFLEET_INGEST_DATABASE."
        )
    assert list(tmp_path.iterdir()) == []
