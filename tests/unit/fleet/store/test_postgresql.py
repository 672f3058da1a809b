"""The store on PostgreSQL when it is away, somebody else's, or written by several workers at once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from platefleet.fleet.store.errors import ForeignDatabase, StoreAway, Unstorable
from platefleet.fleet.store.opening import open_store, parse
from platefleet.fleet.store.port import Batch, Store
from platefleet.fleet.store.postgresql import PostgresqlStore
from platefleet.fleet.store.postgresql_errors import REFUSALS, store_error
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.coverage import merge
from platefleet.protocol.errors import StoreError
from tests.postgresql import Postgresql
from tests.record_builders import a_pass, a_record, an_arrival, an_epoch
from tests.seen import Seen
from tests.until import until

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def url(postgresql_server: Postgresql, empty_store: str) -> str:
    return postgresql_server.database(empty_store)


@pytest.fixture
def store(url: str) -> Iterator[PostgresqlStore]:
    opened = open_store(url, clock=SystemClock())
    assert isinstance(opened, PostgresqlStore)
    yield opened
    opened.close()


def one(seq: int) -> Batch:
    return Batch([an_arrival(record=a_record(seq), body=a_pass())])


def every_kind(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for child in kind.__subclasses__():
        yield child
        yield from every_kind(child)


@pytest.mark.parametrize("kind", sorted({psycopg.Error, *every_kind(psycopg.Error)}, key=lambda kind: kind.__name__))
def test_whatever_the_library_raises_leaves_as_an_error_of_the_store(kind: type[psycopg.Error]) -> None:
    found = store_error(kind("something"), "x")
    assert isinstance(found, Unstorable if issubclass(kind, REFUSALS) else StoreAway)
    assert str(found).startswith("store x: ")
    assert str(found).endswith(".")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (errors.DiskFull("no space"), "the disk is full .*; free some space"),
        (errors.TooManyConnections("no slot"), "raise max_connections"),
        (errors.InsufficientPrivilege("denied"), "make this user the owner"),
        (errors.ReadOnlySqlTransaction("standby"), "name the primary server"),
        (errors.UndefinedTable("records"), "its tables are not this store's"),
        (errors.DataCorrupted("page 7"), "is damaged"),
        (psycopg.OperationalError('FATAL: database "x" does not exist'), "make it with createdb"),
        (psycopg.OperationalError("FATAL: password authentication failed"), "check the user name and the password"),
    ],
)
def test_each_trouble_names_its_remedy(error: psycopg.Error, sentence: str) -> None:
    with pytest.raises(StoreError, match=sentence):
        raise store_error(error, "x") or error


def test_a_commit_waits_for_the_disk_whatever_the_database_is_told(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off")  # type: ignore[call-overload]
    store = PostgresqlStore(parse(url), clock=SystemClock())
    assert store._here().execute("SHOW synchronous_commit").fetchone() == ("on",)
    store.close()


def test_a_server_that_stops_is_away_and_the_next_commit_finds_it_back(own_postgresql: Postgresql) -> None:
    store = open_store(own_postgresql.url(), clock=SystemClock())
    store.commit(one(1))
    own_postgresql.stop()
    for _ in range(2):
        with pytest.raises(StoreAway):
            store.commit(one(2))
    with pytest.raises(StoreAway, match="start the database, or check its address"):
        store.check()
    own_postgresql.start()
    assert store.commit(one(2)).covered["north-1"][0].covered == ((1, 2),)
    own_postgresql.stop(signal.SIGQUIT)  # as if it crashed: what was committed is replayed from its log
    own_postgresql.start()
    with pytest.raises(StoreAway):  # by the connection of before
        store.check()
    assert store.coverage("north-1", [an_epoch()])[0].covered == ((1, 2),)
    store.close()


def test_a_connection_that_somebody_ends_costs_one_commit(store: PostgresqlStore, url: str) -> None:
    store.commit(one(1))
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'platefleet'")
    with pytest.raises(StoreAway, match="stops or starts"):
        store.commit(one(2))
    assert store.commit(one(2)).fresh == 1


def test_a_table_that_is_locked_is_said_so_and_free_again(store: PostgresqlStore, url: str) -> None:
    store._here().execute("SET lock_timeout = '50ms'")
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE coverage")
        with pytest.raises(StoreAway, match="locked by another program"):
            store.commit(one(1))
    assert store.commit(one(1)).fresh == 1


def test_another_store_in_its_place_is_refused(store: PostgresqlStore, url: str) -> None:
    store.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE store SET id = 'store-other'")
    with pytest.raises(ForeignDatabase, match=f"holds the store store-other where {store.id} was"):
        store.commit(one(1))


def test_a_database_of_something_else_is_refused_and_left_alone(postgresql_server: Postgresql) -> None:
    url = postgresql_server.database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE recipes (name text)")
    with pytest.raises(ForeignDatabase, match="a database of something else"):
        open_store(url, clock=SystemClock())
    assert Seen(url).rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("recipes",)]


def test_a_database_that_takes_no_writes_is_away(store: PostgresqlStore, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        name = url.rpartition("/")[2]
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")  # type: ignore[call-overload]
    store.close()
    with pytest.raises(StoreAway, match="takes no writes"):
        store.check()


def test_no_sentence_shows_a_password(postgresql_server: Postgresql) -> None:
    url = postgresql_server.url("nowhere").replace("platefleet@", "platefleet:s3cret@")
    with pytest.raises(StoreAway, match="make it with createdb") as caught:
        open_store(url, clock=SystemClock())
    assert "s3cret" not in str(caught.value)


def test_a_row_that_the_database_refuses_is_told_apart_from_a_database_that_is_away(store: PostgresqlStore) -> None:
    for impossible in ({"frames": 2**70}, {"vehicle": "x" * 99}):
        with pytest.raises(Unstorable, match="refuses a row"):
            store.commit(Batch([an_arrival(body=a_pass().model_copy(update=impossible))]))
    assert store.commit(one(1)).fresh == 1


@pytest.mark.parametrize("seed", [1, 2])
def test_workers_that_commit_the_same_names_at_once_never_wait_in_a_circle_and_lose_no_range(
    url: str, seed: int
) -> None:
    failures: list[BaseException] = []
    fresh: list[int] = []

    def work(number: int) -> None:
        rng = random.Random(seed * 100 + number)
        store: Store = open_store(url, clock=SystemClock())
        try:
            for _ in range(25):
                names = [(rng.choice("abc"), rng.randint(1, 3), rng.randint(1, 90)) for _ in range(30)]
                arrivals = [
                    an_arrival(device, a_record(seq, epoch=epoch), body=a_pass()) for device, epoch, seq in names
                ]
                fresh.append(store.commit(Batch(arrivals)).fresh)
        except Exception as error:  # noqa: BLE001 - told by the test
            failures.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    seen = Seen(url)
    assert sum(fresh) == seen.count("records") == seen.count("plates") == len(set(seen.names()))
    assert sorted(seen.covered_names()) == sorted(seen.names())
    for outbox in {(device, epoch) for device, epoch, *_ in seen.coverage()}:
        ranges = [(first, last) for device, epoch, first, last in seen.coverage() if (device, epoch) == outbox]
        assert tuple(sorted(ranges)) == merge(ranges), "ranges that touch are one"


def test_workers_that_are_killed_at_any_moment_leave_rows_and_coverage_equal(url: str) -> None:
    told: set[int] = set()
    seen = Seen(url)
    for seed in range(2):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.contracts.store.crashing", url, str(seed), str(90 + 31 * seed)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, said = child.communicate(timeout=60)
        assert child.returncode == -signal.SIGKILL, said.decode()
        told |= {int(seq) for line in out.decode().splitlines() for seq in line.split()}
        until(lambda: not seen.rows("SELECT 1 FROM pg_stat_activity WHERE application_name = 'platefleet'"))
        assert sorted(seen.names()) == sorted(seen.covered_names()), f"seed {seed}"
        assert told <= {seq for *_, seq in seen.names()}
    assert told
