"""What a backup may replace and what not, and which file a failure is told of."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from platefleet.fleet.cli import app
from platefleet.fleet.store.backup import back_up, put_back
from platefleet.fleet.store.opening import open_store
from platefleet.fleet.store.port import Batch
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.errors import StoreError
from tests.postgresql import Postgresql
from tests.record_builders import a_pass, a_record, an_arrival
from tests.seen import Seen
from tests.store_urls import NewUrl
from tests.unprivileged import open_folder, unprivileged


@pytest.fixture(autouse=True)
def _programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Find pg_dump beside the server that is tested, where a machine has several."""
    if "postgresql" in request.node.name:
        server: Postgresql = request.getfixturevalue("postgresql_server")
        monkeypatch.setenv("PATH", f"{server.programs}:/usr/bin:/bin")


@pytest.fixture
def store(url: str) -> str:
    """Return the place of a store with one record, which nobody has open."""
    return fill(url, 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return an SQLite store with one record, which nobody has open."""
    fill(f"sqlite:///{tmp_path}/store.db", 1)
    return tmp_path / "store.db"


def fill(url: str, *seqs: int) -> str:
    opened = open_store(url, clock=SystemClock())
    opened.commit(Batch([an_arrival(record=a_record(seq), body=a_pass()) for seq in seqs]))
    opened.close()
    return url


def test_an_earlier_backup_of_the_same_store_is_replaced(store: str, tmp_path: Path) -> None:
    back_up(store, tmp_path / "backup")
    before = (tmp_path / "backup").read_bytes()
    fill(store, 2, 3)
    back_up(store, tmp_path / "backup")
    assert (tmp_path / "backup").read_bytes() != before
    assert os.listdir(tmp_path) == ["backup"]


@pytest.mark.parametrize("content", [b"buy milk\n", b"", b"SQLite format 3\x00, they say"])
def test_a_file_of_something_else_is_replaced_only_by_one_who_says_so(
    store: str, tmp_path: Path, content: bytes
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_bytes(content)
    refused = CliRunner().invoke(app, ["backup", str(notes), "--database", store])
    assert f"backup {notes}: is no earlier backup; name another file, or add --yes" in str(refused.exception)
    assert notes.read_bytes() == content
    assert os.listdir(tmp_path) == ["notes.txt"]
    done = CliRunner().invoke(app, ["backup", str(notes), "--database", store, "--yes"])
    assert done.exit_code == 0, done.output
    assert notes.read_bytes() != content


def test_a_database_of_something_else_is_no_earlier_backup(store: str, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "recipes.db")
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="is no earlier backup"):
        back_up(store, tmp_path / "recipes.db")


def test_a_backup_of_another_store_is_kept_unless_one_says_so(tmp_path: Path) -> None:
    lost, anew = (fill(f"sqlite:///{tmp_path}/{name}.db", 1) for name in ("lost", "anew"))
    back_up(lost, tmp_path / "backup")
    with pytest.raises(StoreError, match=r"is of the store store-\w+, and this is store-\w+; name another file, or"):
        back_up(anew, tmp_path / "backup")
    back_up(anew, tmp_path / "backup", replace=True)


@pytest.mark.parametrize("name", ["store.db", "store.db-wal", "store.db-shm", "link", "same"])
def test_the_store_itself_is_never_the_place_of_its_backup(file: Path, name: str) -> None:
    (file.parent / "link").symlink_to(file)
    os.link(file, file.parent / "same")
    for yes in (False, True):
        with pytest.raises(StoreError, match="is the store itself or belongs to it; name another file"):
            back_up(f"sqlite:///{file}", file.parent / name, replace=yes)
    assert Seen(file).count("records") == 1


def test_a_store_that_a_program_has_open_is_not_taken_for_a_backup(file: Path, tmp_path: Path) -> None:
    other = open_store(f"sqlite:///{tmp_path}/other.db", clock=SystemClock())
    with pytest.raises(StoreError, match=r"other\.db-wal lies beside it, so a program has it open"):
        back_up(f"sqlite:///{file}", tmp_path / "other.db", replace=True)
    other.close()


def test_what_is_no_regular_file_is_never_replaced(store: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(StoreError, match=f"backup {tmp_path / name}: is no regular file"):
            back_up(store, tmp_path / name, replace=True)
    assert (tmp_path / "pipe").is_fifo()


def test_a_place_that_takes_no_backup_is_told_as_such_and_not_as_the_stores(store: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"^backup {tmp_path}/nowhere/backup: cannot be written"):
        back_up(store, tmp_path / "nowhere" / "backup")
    (tmp_path / "letter").write_text("Dear store")
    with pytest.raises(StoreError, match=f"^backup {tmp_path}/letter/backup: cannot be written"):
        back_up(store, tmp_path / "letter" / "backup")


def test_what_is_no_backup_is_told_as_such_and_leaves_no_new_database(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear store, " * 1000)
    sqlite3.connect(tmp_path / "empty").close()
    for name, why in (("letter", "is no SQLite database; name what"), ("empty", "is no store's; name what")):
        with pytest.raises(StoreError, match=f"^backup {tmp_path / name}: {why}"):
            put_back(f"sqlite:///{tmp_path}/new.db", tmp_path / name, replace=False)
    assert sorted(os.listdir(tmp_path)) == ["empty", "letter"]


def test_a_database_of_something_else_is_replaced_only_by_one_who_says_so_twice(file: Path, tmp_path: Path) -> None:
    back_up(f"sqlite:///{file}", tmp_path / "backup")
    with closing(sqlite3.connect(tmp_path / "recipes.db")) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    before = (tmp_path / "recipes.db").read_bytes()
    url = f"sqlite:///{tmp_path}/recipes.db"
    for some in ([], ["--yes"]):
        refused = CliRunner().invoke(app, ["restore", str(tmp_path / "backup"), "--database", url, *some])
        assert "recipes.db: a database of something else; name another one" in str(refused.exception)
        assert "add --foreign" in str(refused.exception)
        assert (tmp_path / "recipes.db").read_bytes() == before
    done = CliRunner().invoke(app, ["restore", str(tmp_path / "backup"), "--database", url, "--yes", "--foreign"])
    assert done.exit_code == 0, done.output
    assert Seen(url).count("records") == 1


def test_another_store_is_replaced_only_by_one_who_says_so_twice(tmp_path: Path) -> None:
    lost, other = (fill(f"sqlite:///{tmp_path}/{name}.db", *seqs) for name, seqs in (("lost", (1,)), ("other", (1, 2))))
    back_up(lost, tmp_path / "backup")
    with pytest.raises(StoreError, match=r"store store-\w+, and the backup is of store-\w+; name another one, or add"):
        put_back(other, tmp_path / "backup", replace=True)
    assert Seen(other).count("records") == 2
    put_back(other, tmp_path / "backup", replace=True, foreign=True)
    assert Seen(other).count("records") == 1


def test_a_store_begun_anew_and_one_that_cannot_be_read_give_way(file: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{file}"
    back_up(store, tmp_path / "backup")
    open_store(f"sqlite:///{tmp_path}/anew.db", clock=SystemClock()).close()
    put_back(f"sqlite:///{tmp_path}/anew.db", tmp_path / "backup", replace=True)
    assert Seen(f"sqlite:///{tmp_path}/anew.db").count("records") == 1
    damaged = bytearray(file.read_bytes())
    damaged[100:4000] = bytes(3900)
    file.write_bytes(damaged)
    put_back(store, tmp_path / "backup", replace=True)
    assert Seen(store).count("records") == 1


def test_a_torn_dump_is_told_as_the_backups_and_changes_nothing(
    postgresql_server: Postgresql, empty_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{postgresql_server.programs}:/usr/bin:/bin")
    url = fill(postgresql_server.database(empty_store), 1)
    back_up(url, tmp_path / "backup")
    whole = (tmp_path / "backup").read_bytes()
    (tmp_path / "backup").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match=f"^backup {tmp_path}/backup: pg_restore cannot read it"):
        put_back(url, tmp_path / "backup", replace=True)
    assert Seen(url).count("records") == 1


def test_a_place_that_takes_no_store_is_told_as_the_stores(file: Path, tmp_path: Path) -> None:
    back_up(f"sqlite:///{file}", tmp_path / "backup")
    (tmp_path / "letter").write_text("Dear store, " * 1000)
    for place, why in (("nowhere/store.db", "its folder must exist"), ("letter", "is no SQLite database")):
        with pytest.raises(StoreError, match=f"^store {tmp_path}/{place}: .*{why}"):
            put_back(f"sqlite:///{tmp_path}/{place}", tmp_path / "backup", replace=True)
    with pytest.raises(StoreError, match="is the store itself"):
        put_back(f"sqlite:///{file}", file, replace=True)


def test_a_backup_in_a_folder_that_may_only_be_read_is_restored_and_nothing_is_left_beside_it(new_url: NewUrl) -> None:
    source, target = fill(new_url(), 1), new_url()
    with open_folder() as folder:
        back_up(source, folder / "backup")
        (folder / "backup").chmod(0o444)
        folder.chmod(0o555)
        put_back(target, folder / "backup", replace=False)
        assert os.listdir(folder) == ["backup"]
    assert Seen(target).count("records") == 1


def test_a_user_who_may_only_read_the_backup_restores_it() -> None:
    with open_folder() as folder:
        fill(f"sqlite:///{folder}/store.db", 1)
        back_up(f"sqlite:///{folder}/store.db", folder / "backup")
        (folder / "backup").chmod(0o444)
        (folder / "own").mkdir(mode=0o777)
        (folder / "own").chmod(0o777)
        folder.chmod(0o555)
        with unprivileged():
            put_back(f"sqlite:///{folder}/own/store.db", folder / "backup", replace=False)
            with pytest.raises(StoreError, match=f"^backup {folder}/another: cannot be written"):
                back_up(f"sqlite:///{folder}/own/store.db", folder / "another")
            (folder / "own" / "closed").touch(mode=0)
            with pytest.raises(StoreError, match=r"own/closed: cannot be read .*let this user read it"):
                put_back(f"sqlite:///{folder}/own/store.db", folder / "own" / "closed", replace=True)
