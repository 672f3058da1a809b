"""A store that a user may only read: with ingest beside it, without, and when that changes during a question."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from platefleet.fleet.questions.reading import Reader
from platefleet.fleet.store import tables
from platefleet.fleet.store.errors import StoreAway
from platefleet.fleet.store.opening import open_store
from platefleet.fleet.store.port import Batch
from platefleet.protocol.clock import SystemClock
from tests.record_builders import a_pass, a_record, an_arrival
from tests.unprivileged import open_folder, unprivileged


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a store of one record that nobody has open; reading may be all that is allowed there."""
    with open_folder() as made:
        commit(made, 1)
        yield made


def commit(folder: Path, *seqs: int) -> None:
    with closing(open_store(f"sqlite:///{folder}/store.db", clock=SystemClock())) as store:
        store.commit(Batch([an_arrival(record=a_record(seq), body=a_pass()) for seq in seqs]))


def only_to_be_read(folder: Path) -> None:
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)


def to_be_written(folder: Path) -> None:
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o644)


def count(reader: Reader) -> int:
    with reader.snapshot() as connection:
        return int(connection.execute(select(func.count()).select_from(tables.records)).scalar_one())


def test_a_user_who_may_only_read_it_asks_while_no_ingest_runs(folder: Path) -> None:
    only_to_be_read(folder)
    with unprivileged(), Reader(f"sqlite:///{folder}/store.db") as reader:
        assert count(reader) == 1
        assert os.listdir(folder) == ["store.db"]


def test_what_is_committed_later_is_seen_by_the_next_question(folder: Path) -> None:
    only_to_be_read(folder)
    with Reader(f"sqlite:///{folder}/store.db") as reader:
        with unprivileged():
            assert count(reader) == 1
        to_be_written(folder)
        commit(folder, 2, 3)
        only_to_be_read(folder)
        with unprivileged():
            assert count(reader) == 3


def test_a_user_who_may_only_read_it_asks_beside_a_running_ingest(folder: Path) -> None:
    with closing(open_store(f"sqlite:///{folder}/store.db", clock=SystemClock())) as ingest:
        ingest.commit(Batch([an_arrival(record=a_record(2), body=a_pass())]))
        only_to_be_read(folder)
        with unprivileged(), Reader(f"sqlite:///{folder}/store.db") as reader:
            assert count(reader) == 2
        to_be_written(folder)


def test_an_answer_during_which_the_store_was_written_is_not_given(folder: Path) -> None:
    def ask_while_it_is_written(reader: Reader) -> None:
        with reader.snapshot() as connection:
            connection.execute(select(tables.store)).all()
            os.seteuid(os.getuid())
            to_be_written(folder)
            commit(folder, 2)

    only_to_be_read(folder)
    said = pytest.raises(StoreAway, match="was written while it was read; ask again")
    with unprivileged(), Reader(f"sqlite:///{folder}/store.db") as reader, said:
        ask_while_it_is_written(reader)


def test_a_file_that_may_not_even_be_read_is_a_sentence(folder: Path) -> None:
    (folder / "store.db").chmod(0)
    with unprivileged(), pytest.raises(StoreAway, match="that this user may read it"):
        Reader(f"sqlite:///{folder}/store.db")


def test_a_log_that_cannot_be_read_is_never_left_out(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        connection.execute("UPDATE store SET schema_version = schema_version")
        connection.commit()
        (folder / "store.db-wal").chmod(0)
        (folder / "store.db").chmod(0o444)
        folder.chmod(0o555)
        with unprivileged(), pytest.raises(StoreAway, match="that this user may read it"):
            Reader(f"sqlite:///{folder}/store.db")
        folder.chmod(0o755)
