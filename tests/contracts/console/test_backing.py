"""A console's database into a file and back, on each database; nothing of something else is taken for one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from platefleet.fleet.console import backing
from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.backing import back_up, put_back
from platefleet.fleet.console.book import Book
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.store.opening import open_store
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.errors import ConfigError, StoreError
from tests.console_builders import a_command, a_presence, a_status, an_info
from tests.trust_builders import T0


def states(url: str) -> dict[str, str]:
    database = ConsoleDatabase(url, now_utc_ns=T0)
    try:
        return {row.id: row.state for row in Asked(database).history()}
    finally:
        database.close()


def restored(url: str, file: Path, *, yes: bool = False) -> str:
    return put_back(url, file, now_utc_ns=T0, replace=yes)


def test_a_backup_made_while_it_is_used_is_put_back_and_what_it_lacks_is_told_again(
    bare_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    database = ConsoleDatabase(bare_url, now_utc_ns=T0)
    book = Book(database)
    book.heard_info(an_info(), T0)
    kept, later = a_command(), a_command()
    book.add([kept], T0)
    assert "1 commands" in back_up(bare_url, file, now_utc_ns=T0)
    book.add([later], T0)
    with pytest.raises(StoreError, match="holds 2 commands, 1 devices; add --yes"):
        restored(bare_url, file)
    assert "1 commands, as in" in restored(bare_url, file, yes=True)
    assert states(bare_url) == {kept.message.id: "pending"}
    book.heard_presence("north-1", a_presence(), T0)
    told = a_status(later.message.id, 3, "running", choices=8)
    assert book.heard_statuses([("north-1", told)], T0) == 1
    assert states(bare_url)[later.message.id] == "running"
    assert book.next_choices("north-1") == 8
    assert later.message.id not in [each.id for each in book.due(T0 + 10**15, 9)]  # its signed bytes are gone
    back_up(bare_url, file, now_utc_ns=T0)  # over an earlier one of the same console
    database.close()


def test_a_console_that_knows_devices_or_trust_alone_is_not_replaced_without_a_word(
    bare_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    with closing(ConsoleDatabase(bare_url, now_utc_ns=T0)) as database:
        back_up(bare_url, file, now_utc_ns=T0)
        restored(bare_url, file)
        Book(database).take_trust(1, T0, b"signed")
    with pytest.raises(StoreError, match="holds 1 trusts; add --yes"):
        restored(bare_url, file)
    with closing(ConsoleDatabase(bare_url, now_utc_ns=T0)) as database:
        Book(database).heard_info(an_info(), T0)
    with pytest.raises(StoreError, match="holds 1 devices, 1 trusts; add --yes"):
        restored(bare_url, file)
    restored(bare_url, file, yes=True)
    restored(bare_url, file)


def test_no_service_begins_while_it_is_put_back(bare_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "backup"
    ConsoleDatabase(bare_url, now_utc_ns=T0).close()
    back_up(bare_url, file, now_utc_ns=T0)
    refused: list[str] = []

    def begin_in_between(name: str) -> None:
        real = getattr(backing, name)

        def with_a_service(*arguments: object, **more: object) -> object:
            with closing(ConsoleDatabase(bare_url, now_utc_ns=T0)) as other:
                with pytest.raises(ConfigError, match="serves it already") as error, other.serving():
                    pass
                refused.append(str(error.value))
            return real(*arguments, **more)

        monkeypatch.setattr(backing, name, with_a_service)

    begin_in_between("copy")
    begin_in_between("put_back_dump")
    restored(bare_url, file)
    if bare_url.startswith("sqlite"):  # on a new machine, where the service has begun already
        Path(bare_url.removeprefix("sqlite:///")).unlink()
        restored(bare_url, file)
    assert len(refused) == (2 if bare_url.startswith("sqlite") else 1)
    with closing(ConsoleDatabase(bare_url, now_utc_ns=T0)) as other, other.serving():
        pass


def test_what_is_no_console_is_neither_backed_up_over_nor_put_back(bare_url: str, tmp_path: Path) -> None:
    ConsoleDatabase(bare_url, now_utc_ns=T0).close()
    text = tmp_path / "letter.txt"
    text.write_text("Dear Anna")
    with pytest.raises(StoreError, match="is no earlier backup"):
        back_up(bare_url, text, now_utc_ns=T0)
    for file, sentence in (
        (text, "restore another one|is no console's|is no dump"),
        (tmp_path / "none", "is not there"),
    ):
        with pytest.raises(StoreError, match=sentence):
            restored(bare_url, file, yes=True)
    assert text.read_text() == "Dear Anna"
    assert states(bare_url) == {}


def test_a_stores_backup_is_no_consoles(tmp_path: Path) -> None:
    store, url = tmp_path / "store.db", f"sqlite:///{tmp_path}/console.db"
    open_store(f"sqlite:///{store}", clock=SystemClock()).close()
    ConsoleDatabase(url, now_utc_ns=T0).close()
    with pytest.raises(StoreError, match="is no console's"):
        restored(url, store, yes=True)
    with pytest.raises(StoreError, match="is no earlier backup"):
        back_up(url, store, now_utc_ns=T0)
    other = f"sqlite:///{tmp_path}/other.db"
    ConsoleDatabase(other, now_utc_ns=T0).close()
    back_up(other, tmp_path / "backup", now_utc_ns=T0)
    with pytest.raises(StoreError, match="is of the console"):
        back_up(url, tmp_path / "backup", now_utc_ns=T0)


def test_another_programs_database_is_neither_replaced_nor_written_into(tmp_path: Path) -> None:
    url, other = f"sqlite:///{tmp_path}/console.db", tmp_path / "books.db"
    ConsoleDatabase(url, now_utc_ns=T0).close()
    back_up(url, tmp_path / "backup", now_utc_ns=T0)
    with closing(sqlite3.connect(other)) as books:
        books.execute("CREATE TABLE book (name TEXT)")
        books.commit()
    store = tmp_path / "store.db"
    open_store(f"sqlite:///{store}", clock=SystemClock()).close()
    for each in (other, store):
        before = each.read_bytes()
        with pytest.raises(StoreError, match="is something else's database; name another one"):
            restored(f"sqlite:///{each}", tmp_path / "backup", yes=True)
        with pytest.raises(StoreError, match="is something else's database; name another one"):
            ConsoleDatabase(f"sqlite:///{each}", now_utc_ns=T0)
        assert each.read_bytes() == before


def test_a_backup_is_not_put_into_a_folder_that_is_not_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/console.db"
    ConsoleDatabase(url, now_utc_ns=T0).close()
    back_up(url, tmp_path / "backup", now_utc_ns=T0)
    with pytest.raises(StoreError, match="its folder is not there; make it, or correct the address"):
        restored(f"sqlite:///{tmp_path}/consloe/console.db", tmp_path / "backup")
    assert not (tmp_path / "consloe").exists()


def test_a_console_that_is_not_there_yet_can_be_made_of_a_backup(tmp_path: Path) -> None:
    url, new = f"sqlite:///{tmp_path}/console.db", f"sqlite:///{tmp_path}/new.db"
    with pytest.raises(StoreError, match="there is nothing to back up"):
        back_up(url, tmp_path / "backup", now_utc_ns=T0)
    database = ConsoleDatabase(url, now_utc_ns=T0)
    command = a_command()
    Book(database).add([command], T0)
    database.close()
    back_up(url, tmp_path / "backup", now_utc_ns=T0)
    restored(new, tmp_path / "backup")
    assert states(new) == {command.message.id: "pending"}
    with pytest.raises(StoreError, match="is the console itself"):
        back_up(url, tmp_path / "console.db", now_utc_ns=T0)


def test_a_dump_of_a_database_without_a_console_is_refused(
    request: pytest.FixtureRequest, tmp_path: Path, empty_store: str
) -> None:
    from platefleet.fleet.store.backup import back_up as back_up_store  # noqa: PLC0415 - the other one

    server = request.getfixturevalue("postgresql_server")
    back_up_store(server.database(empty_store), tmp_path / "store.dump")
    url = server.database()
    ConsoleDatabase(url, now_utc_ns=T0).close()
    with pytest.raises(StoreError, match="is no console's"):
        restored(url, tmp_path / "store.dump", yes=True)
    with pytest.raises(StoreError, match="a dump of PostgreSQL"):
        restored(f"sqlite:///{tmp_path}/c.db", tmp_path / "store.dump", yes=True)
