"""The console's memory, on each database: nothing that is heard late, twice or out of order moves it backwards."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import get_context

import pytest

from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.book import SET_UP_ANEW, Book
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.known import known_of
from platefleet.fleet.console.sending import ANSWERED_NS, FIRST_NS
from platefleet.fleet.console.tables import metadata
from platefleet.fleet.store.errors import ForeignDatabase
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.messages import Progress
from tests.commanded import HOUR, new_id
from tests.console_builders import (
    ANEW,
    INSTALL,
    SECOND,
    a_cancel,
    a_command,
    a_desired,
    a_health,
    a_presence,
    a_status,
    an_info,
)
from tests.trust_builders import T0

MOST = 100


class Console:
    """A book and what may be asked of it."""

    def __init__(self, url: str) -> None:
        self.database = ConsoleDatabase(url, now_utc_ns=T0)
        self.book, self.asked = Book(self.database), Asked(self.database)

    def ordered(self, device: str = "north-1", **more: object) -> str:
        """Hear of a device, take a command for it; return its id."""
        self.book.heard_info(an_info(device), T0)
        signed = a_command(device, **more)  # type: ignore[arg-type]
        self.book.add([signed], T0)
        return signed.message.id

    def state(self, id_: str) -> tuple[str, bool, str]:
        row = self.asked.commands([id_])[0]
        return row.state, row.open, row.reason

    def due(self, at_ns: int = T0) -> list[str]:
        return [each.id for each in self.book.due(at_ns, MOST)]

    def send(self, at_ns: int = T0) -> None:
        self.book.sent(self.book.due(at_ns, MOST), at_ns)


@pytest.fixture(scope="module", params=["postgresql", "sqlite"])
def shared_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('console')}/console.db"
    return str(request.getfixturevalue("postgresql_server").database())


@pytest.fixture
def console(shared_url: str) -> Iterator[Console]:
    """A console with an empty database; making one for each test would take longer than all of them."""
    console = Console(shared_url)
    yield console
    with console.database.begin() as connection:
        for table in metadata.sorted_tables:
            if table.name != "console":
                connection.execute(table.delete())
    console.database.close()


# What is sent.


def test_a_command_is_due_at_once_and_again_after_a_growing_while_until_it_is_answered(console: Console) -> None:
    id_ = console.ordered()
    assert console.due() == [id_]
    console.send()
    assert console.due() == []
    assert console.due(T0 + FIRST_NS) == [id_]
    console.send(T0 + FIRST_NS)
    assert console.due(T0 + 2 * FIRST_NS) == []
    assert console.due(T0 + 3 * FIRST_NS) == [id_]


def test_a_command_that_was_answered_and_is_not_over_is_asked_for_now_and_then(console: Console) -> None:
    id_ = console.ordered()
    console.send()
    console.book.heard_statuses([("north-1", a_status(id_, 1, "accepted"))], T0)
    assert console.due(T0 + ANSWERED_NS - 1) == []
    assert console.due(T0 + ANSWERED_NS) == [id_]


def test_a_command_that_is_over_is_not_sent(console: Console) -> None:
    id_ = console.ordered()
    console.book.heard_statuses([("north-1", a_status(id_, 2, "succeeded"))], T0)
    assert console.due(T0 + 9 * ANSWERED_NS) == []


def test_a_birth_makes_only_that_devices_commands_due_again(console: Console) -> None:
    first, other = console.ordered("north-1"), console.ordered("south-1")
    console.send()
    console.book.again("south-1", T0 + 1)
    assert console.due(T0 + 1) == [other]
    console.book.again(None, T0 + 1)
    assert set(console.due(T0 + 1)) == {first, other}


def test_a_cancel_is_due_at_once_with_its_command_behind_it(console: Console) -> None:
    id_ = console.ordered()
    console.send()
    assert console.book.cancel(id_, b"cancel", "anna")
    due = console.book.due(T0, MOST)[0]
    assert (due.id, due.cancel, due.answered) == (id_, b"cancel", False)


def test_a_cancel_that_comes_while_its_command_is_being_sent_stays_due(console: Console) -> None:
    id_ = console.ordered()
    taken = console.book.due(T0, MOST)
    console.book.cancel(id_, a_cancel(id_), "anna")
    console.book.sent(taken, T0)
    assert console.due() == [id_]


def test_a_status_does_not_put_off_the_cancel_that_came_before_it(console: Console) -> None:
    id_ = console.ordered()
    console.send()
    console.book.cancel(id_, a_cancel(id_), "anna")
    console.book.heard_statuses([("north-1", a_status(id_, 1, "accepted"))], T0)
    assert console.due() == [id_]


def test_what_is_over_or_unknown_cannot_be_cancelled(console: Console) -> None:
    id_ = console.ordered()
    console.book.heard_statuses([("north-1", a_status(id_, 2, "failed", reason="no"))], T0)
    assert not console.book.cancel(id_, b"cancel", "anna")
    assert not console.book.cancel(new_id(), b"cancel", "anna")


# What is heard.


def test_statuses_late_twice_and_out_of_order_end_in_the_last_one(console: Console) -> None:
    id_ = console.ordered()
    told = [a_status(id_, number, state) for number, state in enumerate(("accepted", "waiting", "running"), 1)]
    done = a_status(id_, 4, "succeeded", result=b"\x80")
    counts = [
        console.book.heard_statuses([("north-1", each)], T0)
        for each in (told[1], told[0], told[1], told[2], done, done, told[0], told[2])
    ]
    assert counts == [1, 0, 0, 1, 1, 0, 0, 0]
    assert console.state(id_) == ("succeeded", False, "")
    assert [each.number for _, each in console.asked.statuses(id_)] == [2, 3, 4]


def test_a_status_of_another_devices_command_is_nothing(console: Console) -> None:
    id_ = console.ordered()
    assert console.book.heard_statuses([("south-1", a_status(id_, 1, "succeeded"))], T0) == 0
    assert console.state(id_) == ("pending", True, "")


def test_a_command_that_a_device_gave_itself_is_taken_as_it_comes_and_never_sent(console: Console) -> None:
    console.book.heard_info(an_info(), T0)
    id_ = new_id()
    console.book.heard_statuses([("north-1", a_status(id_, 3, "waiting", operator="rule:engines"))], T0)
    assert console.state(id_)[:2] == ("waiting", True)
    assert console.due(T0 + 9 * ANSWERED_NS) == []
    assert console.asked.commands([id_])[0].operator == "rule:engines"


def test_a_command_that_only_its_device_knows_can_be_cancelled(console: Console) -> None:
    console.book.heard_info(an_info(), T0)
    id_ = new_id()
    console.book.heard_statuses([("north-1", a_status(id_, 3, "waiting"))], T0)
    assert console.book.cancel(id_, b"cancel", "anna")
    (due,) = console.book.due(T0, MOST)
    assert (due.envelope, due.cancel) == (b"", b"cancel")


def test_a_command_that_nobody_answered_expires_and_a_status_that_still_comes_counts(console: Console) -> None:
    id_, answered = console.ordered(), console.ordered()
    console.book.heard_statuses([("north-1", a_status(answered, 1, "waiting"))], T0)
    assert console.book.expire(T0 + HOUR) == 0
    assert console.book.expire(T0 + HOUR + 1) == 1
    assert console.state(id_) == ("expired", False, "the device never answered")
    assert console.state(answered)[0] == "waiting"
    console.book.heard_statuses([("north-1", a_status(id_, 5, "succeeded"))], T0 + 2 * HOUR)
    assert console.state(id_) == ("succeeded", False, "")


def test_progress_is_shown_while_a_command_is_open(console: Console) -> None:
    id_ = console.ordered()
    progress = Progress.model_validate({"command": id_, "step": "exporting", "fraction": 0.5})
    console.book.heard_progress({id_: progress}, T0)
    assert console.asked.commands([id_])[0].fraction == 0.5
    console.book.heard_statuses([("north-1", a_status(id_, 2, "failed"))], T0)
    console.book.heard_progress({id_: progress}, T0)
    assert console.asked.commands([id_])[0].fraction is None


# Devices.


def test_a_birth_is_told_once_and_a_will_counts_only_for_the_last_one(console: Console) -> None:
    heard = [("online", "1"), ("online", "1"), ("lost", "1"), ("online", "2"), ("lost", "1")]
    born = [console.book.heard_presence("north-1", a_presence(*each), T0 + at) for at, each in enumerate(heard)]
    assert born == [True, False, False, True, False]
    row = console.asked.device("north-1")
    assert row is not None
    assert (row.presence, row.presence_ns) == ("online", T0 + 3)


def test_a_presence_heard_again_says_nothing_of_since_when(console: Console) -> None:
    console.book.heard_presence("north-1", a_presence("lost"), T0)
    console.book.heard_presence("north-1", a_presence("lost"), T0 + 99)
    row = console.asked.device("north-1")
    assert row is not None
    assert row.presence_ns == T0


def test_a_device_that_was_set_up_anew_voids_what_was_signed_for_it(console: Console) -> None:
    id_, done = console.ordered(), console.ordered()
    console.book.heard_statuses([("north-1", a_status(done, 2, "succeeded"))], T0)
    console.book.desire(*a_desired(7), "ada")
    assert "1 open commands are void" in console.book.heard_info(an_info(install=ANEW, desired_version=2), T0)
    assert console.state(id_) == ("rejected", False, SET_UP_ANEW)
    assert console.state(done)[0] == "succeeded"
    assert console.book.next_choices("north-1") == 2
    assert console.book.retained()[0] == {}
    assert console.book.heard_info(an_info(install=ANEW), T0) == ""


def test_what_a_device_told_before_it_was_set_up_anew_opens_no_command_again(console: Console) -> None:
    id_ = console.ordered()
    console.book.heard_info(an_info(install=ANEW), T0)
    assert console.book.heard_statuses([("north-1", a_status(id_, 2, "running"))], T0) == 0
    assert console.state(id_) == ("rejected", False, SET_UP_ANEW)
    assert console.book.heard_statuses([("north-1", a_status(id_, 3, "succeeded"))], T0) == 1
    assert console.state(id_)[:2] == ("succeeded", False)


def test_a_retired_device_is_seen_no_more_its_commands_end_and_it_can_come_back(console: Console) -> None:
    id_ = console.ordered()
    console.book.enrol("north-1", site="north", labels=("exit", "night"), now_ns=T0)
    console.book.desire(*a_desired(1), "ada")
    assert console.book.retire("north-1", T0)
    assert not console.book.retire("north-1", T0)
    assert not console.book.retire("nobody", T0)
    assert console.asked.devices() == []
    assert console.state(id_) == ("cancelled", False, "the device was retired")
    assert console.book.retained()[0] == {}
    console.book.enrol("north-1", site="north", labels=(), now_ns=T0)
    assert [row.device for row in console.asked.devices()] == ["north-1"]


def test_a_device_is_kept_with_all_that_it_said(console: Console) -> None:
    console.book.enrol("north-1", site="north", labels=("exit", "night"), now_ns=T0)
    console.book.heard_info(an_info(), T0 + 1)
    console.book.heard_health("north-1", a_health(problems=("no camera",)), T0 + 2)
    row = console.asked.device("north-1")
    assert row is not None
    known = known_of(row)
    assert (known.site, known.labels, known.install) == ("north", ("exit", "night"), INSTALL)
    assert known.info == an_info()
    assert known.health is not None
    assert known.health.problems == ("no camera",)


def test_who_has_only_a_presence_is_no_device(console: Console) -> None:
    console.book.heard_presence("ingest-1", a_presence(), T0)
    assert console.asked.devices() == []


# Desired state and trust.


def test_only_a_newer_desired_state_takes_the_place_of_one(console: Console) -> None:
    console.book.heard_info(an_info(desired_version=4), T0)
    newest = a_desired(6)
    other = a_desired(6, active={"plate": "c" * 32})
    taken = [console.book.desire(*each, "ada") for each in (a_desired(5), newest, other, a_desired(5))]
    assert taken == [True, True, False, False]
    assert console.book.retained()[0] == {"north-1": newest[1]}
    assert console.book.next_choices("north-1") == 6
    assert console.book.next_choices("nobody") == 0


def test_the_newest_trust_is_published_and_one_taken_twice_stays_as_it_was(console: Console) -> None:
    assert console.asked.trust_ends() is None
    for version, envelope in ((2, b"two"), (1, b"one"), (2, b"other")):
        console.book.take_trust(version, version * SECOND, envelope)
    assert console.book.retained()[1] == b"two"
    assert console.asked.trust_ends() == 2 * SECOND


# What people ask.


def test_history_is_newest_first_and_ids_are_found_by_how_they_begin_or_end(console: Console) -> None:
    first, second = console.ordered(), console.ordered("south-1")
    console.book.heard_statuses([("south-1", a_status(second, 2, "failed"))], T0)
    assert [row.id for row in console.asked.history()] == [second, first]
    assert [row.id for row in console.asked.history(open_=True)] == [first]
    assert [row.id for row in console.asked.history(device_="south-1", most=5)] == [second]
    assert console.asked.by_prefix(first[-12:]) == [first]
    assert len(console.asked.by_prefix(first[:6])) == 2
    assert console.asked.by_prefix("%") == []


# Two programs at once.


def hear(url: str, ids: list[str], numbers: list[int]) -> None:
    """What one of two programs does at the same time as the other."""
    console = Console(url)
    for number in numbers:
        for id_ in ids:
            state = "succeeded" if number == 5 else "running"
            console.book.heard_statuses([("north-1", a_status(id_, number, state))], T0)
            console.book.heard_presence(f"new-{number}", a_presence(), T0)
            console.book.desire(*a_desired(number), "ada")
    console.database.close()


def test_two_programs_that_write_at_once_make_the_tables_once_and_lose_nothing(bare_url: str) -> None:
    ids = [new_id() for _ in range(6)]
    other = get_context("spawn").Process(target=hear, args=(bare_url, ids[:4], [1, 2, 3, 4, 5]))
    other.start()
    hear(bare_url, ids[2:], [5, 4, 3, 2, 1])
    other.join(60)
    assert other.exitcode == 0
    console = Console(bare_url)
    assert [console.state(id_)[:2] for id_ in ids] == [("succeeded", False)] * 6
    assert console.book.retained()[0] == {"north-1": a_desired(5)[1]}
    console.database.close()


def test_a_database_of_something_else_is_refused_and_left_alone(bare_url: str) -> None:
    from sqlalchemy import create_engine, inspect  # noqa: PLC0415 - behind the program's back

    engine = create_engine(bare_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE console (name VARCHAR(10))")
    with pytest.raises(ForeignDatabase, match="something else"):
        Console(bare_url)
    assert inspect(engine).get_table_names() == ["console"]
    engine.dispose()


def test_one_service_works_with_it_and_another_is_refused_until_that_one_ends(console: Console) -> None:
    other = ConsoleDatabase(console.database.url.render_as_string(hide_password=False), now_utc_ns=T0)
    with console.database.serving():
        with pytest.raises(ConfigError, match="serves it already; end that one first"), other.serving():
            pass
        console.ordered()  # who serves works with it, and so do the operators' commands
        assert len(Asked(other).devices()) == 1
    with other.serving():
        pass
    other.close()


def test_a_service_whose_lock_was_lost_takes_it_again_or_ends(console: Console) -> None:
    if console.database.url.get_backend_name() == "sqlite":
        pytest.skip("a lock on a file ends with its process alone")
    url = console.database.url.render_as_string(hide_password=False)
    other = ConsoleDatabase(url, now_utc_ns=T0)
    with console.database.serving() as lock:
        _end_other_sessions(other)
        lock.look()  # finds its connection gone
        with pytest.raises(ConfigError, match="serves it already"), other.serving():
            pass
        _end_other_sessions(other)
        with other.serving(), pytest.raises(ConfigError, match="serves it already"):
            lock.look()
    other.close()


def _end_other_sessions(database: ConsoleDatabase) -> None:
    """End every other session of the database, as a server's restart does."""
    with database.begin() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
