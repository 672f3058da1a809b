"""Who is called when something falls silent: once for each trouble, whatever restarts in between."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from platefleet.fleet.console.alarms import SECOND_NS, Key, Limits, Trouble, turned, wrong
from platefleet.fleet.console.book import Book
from platefleet.fleet.console.calling import Alarms, Receiver
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.known import Known
from platefleet.fleet.console.running import _receiver
from platefleet.fleet.console.settings import AlarmSettings, BrokerSettings, ConsoleSettings
from platefleet.fleet.console.tables import alarm
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.messages import CameraHealth
from tests.console_builders import a_health, a_presence, an_info
from tests.until import until

LIMITS = Limits(silent_s=300, camera_s=120)
NOW = 10_000 * SECOND_NS
STALLED = CameraHealth(lane="entry", state="stalled", why="no frame for 9 s")


def north(**more: object) -> Known:
    said: dict[str, object] = {"presence": "online", "presence_ns": 0, "health": a_health(), "health_ns": NOW}
    return Known("north-1", **{**said, **more})  # type: ignore[arg-type]


def says(device: Known, **more: object) -> list[str]:
    return [trouble.says for trouble in wrong([device], NOW, LIMITS, **more)]  # type: ignore[arg-type]


# What is wrong.


def test_a_device_that_tells_how_it_is_doing_is_well() -> None:
    assert says(north()) == []


def test_a_device_that_was_never_heard_of_is_not_silent() -> None:
    assert says(Known("north-1", enrolled=True)) == []


def test_a_device_that_is_gone_or_was_stopped_for_long_enough_is_silent() -> None:
    long, short = NOW - 300 * SECOND_NS, NOW - 299 * SECOND_NS
    assert says(north(presence="lost", presence_ns=long)) == ["north-1: has been gone without a word for 5 minutes"]
    assert says(north(presence="stopped", presence_ns=long)) == ["north-1: has been stopped for 5 minutes"]
    assert says(north(presence="lost", presence_ns=short)) == []


def test_a_device_that_is_connected_and_says_nothing_is_silent() -> None:
    told = ["north-1: is connected and has said nothing for 5 minutes"]
    assert says(north(health_ns=NOW - 300 * SECOND_NS)) == told
    assert says(north(health_ns=None)) == ["north-1: is connected and has said nothing for 166 minutes"]


def test_nobody_was_silent_because_the_console_did_not_listen() -> None:
    silent = north(health_ns=NOW - 900 * SECOND_NS)
    assert says(silent, listening_ns=NOW - 299 * SECOND_NS) == []
    assert says(silent, listening_ns=NOW - 300 * SECOND_NS) != []
    assert says(silent, listening_ns=NOW, lasting={("north-1", "silent", "")}) != []
    lost = north(presence="lost")
    assert says(lost, listening_ns=NOW - 14 * SECOND_NS) == []
    assert says(lost, listening_ns=NOW - 15 * SECOND_NS) != []


def test_a_camera_without_pictures_is_wrong_unless_its_device_is_silent() -> None:
    stalled = north(health=a_health(cameras=(STALLED,)))
    assert says(stalled) == ["north-1: camera entry is stalled: no frame for 9 s"]
    assert len(says(north(health=stalled.health, health_ns=0))) == 1


def test_an_output_that_failed_at_a_gate_is_wrong_and_other_problems_are_not() -> None:
    problems = ("lane entry: its output failed: no answer in 5 s", "the allow list was not read")
    gate = north(kind="gate", health=a_health(problems=problems))
    assert list(wrong([gate], NOW, LIMITS)) == [Trouble("north-1", "output", "entry", f"north-1: {problems[0]}")]
    assert says(north(health=a_health(problems=problems))) == []


# What began and what ended.

KEYS: list[Key] = [("a", "silent", ""), ("a", "camera", "in"), ("b", "camera", "in")]


@given(st.lists(st.tuples(st.integers(1, 200), st.sets(st.sampled_from(KEYS))), max_size=40))
def test_an_alarm_is_raised_once_after_its_time_and_ended_once(steps: list[tuple[int, set[Key]]]) -> None:
    now_ns, open_, first = 0, set[Key](), dict[Key, int]()
    for after_s, keys in steps:
        now_ns += after_s * SECOND_NS
        found = [Trouble(key[0], key[1], key[2], "", 120 if key[1] == "camera" else 0) for key in keys]  # type: ignore[arg-type]
        first = {key: first.get(key, now_ns) for key in keys}
        change = turned(found, first, open_, now_ns)
        began = {trouble.key for trouble in change.began}
        assert len(began) == len(change.began)
        assert not began & open_
        assert set(change.ended) == open_ - keys
        assert began == {k for k in keys - open_ if k[1] != "camera" or now_ns - first[k] >= 120 * SECOND_NS}
        open_ = (open_ | began) - set(change.ended)
        assert turned(found, first, open_, now_ns) == turned([], {}, [], now_ns)


# Calling somebody.


class Called:
    """A receiver in a test: a real web server. fails: so many requests are answered with 500; hangs: not at all."""

    def __init__(self, fails: int = 0, hangs: int = 0) -> None:
        self.taken: list[dict[str, str]] = []
        self.asked = 0
        self.over = threading.Event()
        called = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                called.asked += 1
                if called.asked <= hangs:
                    called.over.wait(30)
                    return
                well = called.asked > fails
                if well:
                    called.taken.append({name: each[0] for name, each in parse_qs(body).items()})
                self.send_response(204 if well else 500)
                self.end_headers()

            def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the library's word
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def receiver(self) -> Receiver:
        return receiver(webhook=f"http://127.0.0.1:{self.server.server_port}/alarm", timeout_s=0.5)

    def stop(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


def receiver(**alarms: object) -> Receiver:
    settings = ConsoleSettings(broker=BrokerSettings(host="localhost"), alarms=AlarmSettings(**alarms))  # type: ignore[arg-type]
    found = _receiver(settings)
    assert found is not None
    return found


class Watch:
    """A console's database with one device that is lost since `NOW`."""

    def __init__(self, folder: Path) -> None:
        self.database = ConsoleDatabase(f"sqlite:///{folder}/console.db", now_utc_ns=NOW)
        self.book = Book(self.database)
        self.book.heard_info(an_info(), NOW)
        self.book.heard_presence("north-1", a_presence(), NOW)
        self.book.heard_presence("north-1", a_presence("lost"), NOW)

    @contextmanager
    def alarms(self, receiver: Receiver | None) -> Iterator[Alarms]:
        alarms = Alarms(self.database, LIMITS, receiver, clock=SystemClock(), again_s=0.05)
        alarms.start()
        try:
            yield alarms
        finally:
            alarms.stop(20)

    def rows(self) -> list[tuple[str, bool, bool]]:
        with self.database.begin() as connection:
            rows = connection.execute(select(alarm).order_by(alarm.c.id)).all()
        return [(row.kind, row.until_ns is not None, row.told_ns is not None) for row in rows]


def look(alarms: Alarms, from_s: int, to_s: int) -> None:
    for second in range(from_s, to_s, 5):
        alarms.look(NOW + second * SECOND_NS)


def test_a_webhook_is_asked_once_and_the_alarm_ends_when_the_device_is_back(tmp_path: Path) -> None:
    watch, called = Watch(tmp_path), Called()
    with watch.alarms(called.receiver()) as alarms:
        look(alarms, 0, 300)
        assert watch.rows() == []
        look(alarms, 300, 600)
        until(lambda: watch.rows() == [("silent", False, True)])
        watch.book.heard_presence("north-1", a_presence(incarnation="2"), NOW + 600 * SECOND_NS)
        look(alarms, 600, 700)
        assert watch.rows() == [("silent", True, True)]
    assert called.taken == [
        {"device": "north-1", "kind": "silent", "problem": "north-1: has been gone without a word for 5 minutes"}
    ]
    called.stop()


def test_a_device_that_comes_and_goes_is_silent_only_when_it_stays_away(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    with watch.alarms(None) as alarms:
        for number in range(10):
            at = number * 200
            watch.book.heard_presence("north-1", a_presence("online", str(number)), NOW + at * SECOND_NS)
            watch.book.heard_presence("north-1", a_presence("lost", str(number)), NOW + (at + 5) * SECOND_NS)
            look(alarms, at + 5, at + 200)
        assert watch.rows() == []


def test_a_receiver_that_fails_and_hangs_is_asked_again_until_it_takes_the_alarm(tmp_path: Path) -> None:
    watch, called = Watch(tmp_path), Called(fails=2, hangs=1)
    with watch.alarms(called.receiver()) as alarms:
        look(alarms, 0, 400)
        until(lambda: watch.rows() == [("silent", False, True)], 30)
    assert len(called.taken) == 1
    assert called.asked == 3
    called.stop()


def test_a_restart_neither_forgets_an_alarm_nor_repeats_one(tmp_path: Path) -> None:
    watch, called = Watch(tmp_path), Called()
    with watch.alarms(None) as alarms:  # before it could be delivered
        look(alarms, 0, 400)
        assert watch.rows() == [("silent", False, False)]
    with watch.alarms(called.receiver()) as alarms:
        until(lambda: watch.rows() == [("silent", False, True)])
        watch.book.heard_presence("north-1", a_presence("lost"), NOW + 1000 * SECOND_NS)  # the broker kept it
        look(alarms, 1000, 2000)
    with watch.alarms(called.receiver()) as alarms:
        look(alarms, 3000, 4000)
    assert watch.rows() == [("silent", False, True)]
    assert len(called.taken) == 1
    called.stop()


def test_a_command_gets_the_alarm_in_its_environment(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    program = "import os; open(os.environ['HOME'] + '/called', 'a').write(os.environ['PLATEFLEET_PROBLEM'] + chr(10))"
    argv = ("env", f"HOME={tmp_path}", sys.executable, "-c", program)
    with watch.alarms(receiver(command=argv)) as alarms:
        look(alarms, 0, 400)
        until(lambda: watch.rows() == [("silent", False, True)], 30)
    assert (tmp_path / "called").read_text() == "north-1: has been gone without a word for 5 minutes\n"


def test_a_camera_that_stalls_for_a_moment_calls_nobody_and_one_that_stays_so_does(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    with watch.alarms(None) as alarms:
        for second in range(0, 400, 5):
            at = NOW + second * SECOND_NS
            watch.book.heard_presence("north-1", a_presence(incarnation="2"), at)
            wrong = second < 100 or second >= 200
            watch.book.heard_health("north-1", a_health(cameras=(STALLED,) if wrong else ()), at)
            alarms.look(at)
            assert watch.rows() == ([("camera", False, False)] if second >= 320 else [])
