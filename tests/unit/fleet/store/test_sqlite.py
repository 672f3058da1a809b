"""The store on SQLite when its file is locked, full, gone, replaced, damaged or somebody else's."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from platefleet.fleet.store.errors import ForeignDatabase, StoreAway, Unstorable
from platefleet.fleet.store.opening import open_store
from platefleet.fleet.store.port import Batch
from platefleet.fleet.store.sqlite import SqliteStore
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.errors import ConfigError
from tests.record_builders import a_crop, a_pass, a_record, an_arrival, an_epoch
from tests.seen import Seen


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path, clock=SystemClock())
    yield opened
    opened.close()


def one(seq: int) -> Batch:
    return Batch([an_arrival(record=a_record(seq), body=a_pass())])


def test_a_commit_waits_for_the_disk_and_readers_do_not_wait_for_a_commit(store: SqliteStore, path: Path) -> None:
    with store._here() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_a_locked_database_is_said_so_and_the_next_commit_finds_it_free(store: SqliteStore, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreAway, match="locked by another program"):
        store.commit(one(1))
    other.execute("ROLLBACK")
    assert store.commit(one(1)).fresh == 1
    other.close()


def test_a_full_disk_is_said_so_and_nothing_of_the_batch_is_there(store: SqliteStore, path: Path) -> None:
    pages = store._here().exec_driver_sql("PRAGMA page_count").scalar_one()
    store._here().rollback()
    store._here().exec_driver_sql(f"PRAGMA max_page_count={pages + 4}")
    store._here().rollback()
    crops = [an_arrival(record=a_record(n, type="crops", body=a_crop(60_000)), body=a_crop(60_000)) for n in (1, 2)]
    with pytest.raises(StoreAway, match="disk is full"):
        store.commit(Batch(crops))
    assert Seen(path).count("records") == Seen(path).count("coverage") == 0
    assert store.commit(Batch(crops)).fresh == 2  # a new connection knows no such limit: space was freed


def test_a_database_that_was_deleted_is_not_begun_anew_and_is_found_when_it_is_back(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    store.commit(one(1))
    store.close()  # as after any failure; WAL is folded into the file
    path.rename(tmp_path / "elsewhere.db")
    for _ in range(2):
        with pytest.raises(StoreAway, match="file is gone"):
            store.commit(one(2))
    assert not path.exists()
    (tmp_path / "elsewhere.db").rename(path)
    assert store.commit(one(2)).covered["north-1"][0].covered == ((1, 2),)


def test_deleting_the_file_under_an_open_connection_is_noticed(store: SqliteStore, path: Path) -> None:
    store.commit(one(1))
    path.unlink()
    with pytest.raises(StoreAway, match="file is gone"):
        store.commit(one(2))
    with pytest.raises(StoreAway, match="file is gone"):
        store.check()


def test_an_older_copy_put_in_its_place_is_the_same_store_with_less_in_it(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    store.commit(one(1))
    store.close()
    shutil.copy(path, tmp_path / "backup.db")
    store.commit(one(2))
    store.close()
    (tmp_path / "backup.db").rename(path)
    assert store.coverage("north-1", [an_epoch()])[0].covered == ((1, 1),)
    assert store.commit(one(2)).fresh == 1


def test_another_store_in_its_place_is_refused(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    store.close()
    other = SqliteStore(tmp_path / "other.db", clock=SystemClock())
    other.close()
    (tmp_path / "other.db").rename(path)
    with pytest.raises(ForeignDatabase, match=f"holds the store {other.id} where {store.id} was"):
        store.commit(one(1))


def test_an_unknown_schema_is_refused_with_what_to_do(store: SqliteStore, path: Path) -> None:
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE store SET schema_version = 9")
    connection.close()
    with pytest.raises(ForeignDatabase, match="schema 9, and this program knows 2; install the release"):
        SqliteStore(path, clock=SystemClock())


def test_a_database_of_something_else_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(ForeignDatabase, match="a database of something else"):
        SqliteStore(path, clock=SystemClock())


@pytest.mark.parametrize(
    ("content", "kind", "sentence"),
    [
        (b"not a database at all, but a letter" * 40, ForeignDatabase, "is no SQLite database"),
        (None, StoreAway, "cannot be"),
    ],
)
def test_a_file_that_is_no_database_is_one_sentence(
    path: Path, content: bytes | None, kind: type[Exception], sentence: str
) -> None:
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(kind, match=sentence):
        SqliteStore(path, clock=SystemClock())


def test_a_row_that_the_database_refuses_is_told_apart_from_a_database_that_is_away(store: SqliteStore) -> None:
    body = a_pass().model_copy(update={"frames": 2**70})
    with pytest.raises(Unstorable, match="refuses a row"):
        store.commit(Batch([an_arrival(body=body)]))
    assert store.commit(one(1)).fresh == 1


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("store.db", "is no URL"),
        ("sqlite://", "in memory forgets"),
        ("sqlite:///:memory:", "in memory forgets"),
        ("mysql://localhost/fleet", "mysql is not supported"),
        ("postgresql://user:secret@localhost:port/fleet", "'…@localhost:port/fleet' is no URL"),
        ("nonsense://x", "nonsense"),
    ],
)
def test_a_url_that_cannot_be_used_is_a_sentence_about_the_setting(url: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=f"^database: .*{sentence}"):
        open_store(url, clock=SystemClock())


def test_a_folder_that_is_not_there_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StoreAway, match="its folder must exist"):
        open_store(f"sqlite:///{tmp_path}/nowhere/store.db", clock=SystemClock())
