"""A store into a file and back, on both databases, while others use it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from platefleet.fleet.cli import app
from platefleet.fleet.store import sqlite_copy
from platefleet.fleet.store.backup import back_up, put_back
from platefleet.fleet.store.opening import open_store
from platefleet.fleet.store.port import Batch, Store
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.errors import StoreError
from tests.postgresql import Postgresql
from tests.record_builders import a_crop, a_pass, a_record, an_arrival, an_epoch
from tests.seen import Seen
from tests.store_urls import NewUrl
from tests.until import until


@pytest.fixture(autouse=True)
def _programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Find pg_dump beside the server that is tested, where a machine has several."""
    if "postgresql" in request.node.name:
        server: Postgresql = request.getfixturevalue("postgresql_server")
        monkeypatch.setenv("PATH", f"{server.programs}:/usr/bin:/bin")


def filled(url: str, *seqs: int) -> Store:
    store = open_store(url, clock=SystemClock())
    store.commit(Batch([an_arrival(record=a_record(seq), body=a_pass()) for seq in seqs]))
    return store


def test_a_restored_store_is_as_it_was_and_takes_what_the_devices_still_have(url: str, tmp_path: Path) -> None:
    store = filled(url, 1, 2)
    assert f"store {store.id}, schema 2" in back_up(url, tmp_path / "backup")
    store.commit(Batch([an_arrival(record=a_record(3)), an_arrival(record=a_record(4, type="crops", body=a_crop()))]))
    told = put_back(url, tmp_path / "backup", replace=True)
    assert "devices fill in what it lacks" in told
    expected = [("north-1", an_epoch(), n) for n in (1, 2)]
    assert sorted(Seen(url).names()) == sorted(Seen(url).covered_names()) == expected
    try:
        committed = store.commit(Batch([an_arrival(record=a_record(3))]))
    except StoreError:  # a connection of before, once
        committed = store.commit(Batch([an_arrival(record=a_record(3))]))
    assert committed.covered["north-1"][0].covered == ((1, 3),)
    store.close()


def test_a_backup_ends_although_ingest_commits_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_copy, "PAGES_A_STEP", 1)
    url = f"sqlite:///{tmp_path}/store.db"
    store = filled(url, 1)
    pictures = [an_arrival(record=a_record(seq, type="crops", body=a_crop(60_000))) for seq in range(2, 300)]
    store.commit(Batch(pictures))
    copying = threading.Thread(target=back_up, args=(url, tmp_path / "backup"))
    copying.start()
    seqs = iter(range(300, 100_000))

    def ended() -> bool:
        store.commit(Batch([an_arrival(record=a_record(next(seqs)))]))
        return not copying.is_alive()

    try:
        until(ended, 30, 0.001)
    finally:
        copying.join(30)
        store.close()
    assert len(Seen(tmp_path / "backup").names()) >= 299


def test_a_store_with_records_is_replaced_only_by_one_who_says_so(url: str, tmp_path: Path) -> None:
    filled(url, 1).close()
    back_up(url, tmp_path / "backup")
    refused = CliRunner().invoke(app, ["restore", str(tmp_path / "backup"), "--database", url])
    assert "add --yes to replace them" in str(refused.exception)
    done = CliRunner().invoke(app, ["restore", str(tmp_path / "backup"), "--database", url, "--yes"])
    assert done.exit_code == 0, done.output


def test_an_empty_place_takes_a_backup_without_asking(new_url: NewUrl, tmp_path: Path) -> None:
    source, empty = new_url(), new_url()
    filled(source, 1, 2).close()
    back_up(source, tmp_path / "backup")
    put_back(empty, tmp_path / "backup", replace=False)
    assert Seen(empty).count("records") == 2


def test_what_is_no_backup_changes_nothing(url: str, tmp_path: Path) -> None:
    filled(url, 1).close()
    (tmp_path / "letter").write_text("Dear store, " * 1000)
    with pytest.raises(StoreError, match=r"no dump of PostgreSQL|is no SQLite database"):
        put_back(url, tmp_path / "letter", replace=True)
    with pytest.raises(StoreError, match="is not there"):
        put_back(url, tmp_path / "nothing", replace=True)
    assert Seen(url).count("records") == 1


def test_a_damaged_backup_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    store = open_store(url, clock=SystemClock())
    store.commit(Batch([an_arrival(record=a_record(n, type="crops", body=a_crop(60_000))) for n in range(1, 9)]))
    store.close()
    back_up(url, tmp_path / "backup")
    with (tmp_path / "backup").open("r+b") as file:
        file.seek(8192)
        file.write(bytes(100_000))
    with pytest.raises(StoreError, match="damaged"):
        put_back(url, tmp_path / "backup", replace=True)
    assert Seen(url).count("records") == 8


def test_a_place_that_cannot_be_written_is_a_sentence_and_leaves_nothing(url: str, tmp_path: Path) -> None:
    filled(url, 1).close()
    with pytest.raises(StoreError):
        back_up(url, tmp_path / "nowhere" / "backup")


def test_without_the_programs_it_says_which_package_brings_them(
    postgresql_server: Postgresql, empty_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql_server.database(empty_store)
    filled(url, 1).close()
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(StoreError, match="pg_dump is not installed; on Debian apt-get install postgresql-client"):
        back_up(url, tmp_path / "backup")
