"""What keeps the agent running and tells how it is: supervisor, systemd, the machine, health's sentences."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from platefleet.agent.cameras.port import Over, Picture
from platefleet.agent.cameras.record import CameraRecord
from platefleet.agent.figures import Figures
from platefleet.agent.health import HealthReport, camera_problems, news, session_problems, uplink_problems
from platefleet.agent.machine import hardware, memory_bytes
from platefleet.agent.newest import Newest
from platefleet.agent.supervisor import HUNG_NS, STEADY_NS, Supervisor
from platefleet.agent.systemd import notify, watchdog_s
from platefleet.models.board import power_w, temperature_c
from platefleet.protocol.backoff import Backoff
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.clock_sync import stamped
from platefleet.protocol.delivery.stats import UplinkStats
from platefleet.protocol.errors import ModelError
from platefleet.protocol.messages import CameraHealth
from platefleet.protocol.session import SessionHealth
from tests.painted_lane import an_agent, settings_of
from tests.turned_clock import TurnedClock
from tests.until import until


def a_supervisor(figures: Figures) -> Supervisor:
    return Supervisor(SystemClock(), figures, lambda: Backoff(0.001, 0.01))


def test_a_worker_that_fails_is_started_again_and_counted_until_it_is_stopped() -> None:
    figures, runs = Figures(), []

    def run(stop: threading.Event, alive: Callable[[], None]) -> None:
        runs.append(1)
        alive()
        if len(runs) < 4:
            raise ModelError("no memory")
        stop.wait()

    supervisor = a_supervisor(figures)
    supervisor.start("detection", run)
    until(lambda: len(runs) == 4)
    assert figures.counts()["restarts"] == 3
    assert figures.troubles() == ["detection failed: no memory"]
    assert supervisor.stop("detection", 2.0)
    assert figures.troubles() == []


def test_a_failure_is_no_problem_any_more_once_its_worker_ran_for_a_minute() -> None:
    clock, figures, steps = TurnedClock(), Figures(), threading.Semaphore(0)
    called = threading.Semaphore(0)

    def run(stop: threading.Event, alive: Callable[[], None]) -> None:
        if not figures.counts():
            raise ModelError("no memory")
        while not stop.is_set():
            steps.acquire()
            alive()
            called.release()

    supervisor = Supervisor(clock, figures, lambda: Backoff(0.001, 0.01))
    supervisor.start("detection", run)
    for seconds, troubles in ((0, 1), (STEADY_NS / 1e9, 1), (1, 0)):
        clock.turn(seconds)
        steps.release()
        assert called.acquire(timeout=5)
        assert len(figures.troubles()) == troubles
    supervisor.let_go("detection")
    steps.release()
    assert supervisor.stop("detection", 2.0)


def test_a_fault_of_our_own_is_told_without_its_traceback() -> None:
    figures = Figures()

    def run(stop: threading.Event, alive: Callable[[], None]) -> None:
        if not figures.counts():
            raise ZeroDivisionError
        stop.wait()

    supervisor = a_supervisor(figures)
    supervisor.start("following", run)
    until(figures.counts)
    assert figures.troubles() == ["following failed by a fault of this program; its log has it"]
    supervisor.stop("following", 2.0)


def test_a_worker_that_has_done_its_work_is_not_started_again() -> None:
    runs: list[int] = []
    supervisor = a_supervisor(Figures())
    supervisor.start("camera", lambda *_: runs.append(1))
    assert until(lambda: runs)
    assert supervisor.stop("camera", 2.0)
    assert runs == [1]


def test_a_worker_that_says_nothing_for_a_minute_hangs() -> None:
    clock, called = TurnedClock(), threading.Event()

    def run(stop: threading.Event, _: Callable[[], None]) -> None:
        called.set()
        stop.wait()

    supervisor = Supervisor(clock, Figures())
    supervisor.start("detection", run)
    called.wait(5)
    assert supervisor.hung() == []
    clock.turn(HUNG_NS / 1e9 + 1)
    assert supervisor.hung() == ["detection"]
    supervisor.stop("detection", 2.0)
    assert supervisor.hung() == []


def test_a_worker_that_does_not_stop_is_left_behind_and_said_so() -> None:
    release = threading.Event()
    supervisor = a_supervisor(Figures())
    supervisor.start("stuck", lambda *_: release.wait() and None)
    assert not supervisor.stop("stuck", 0.05)
    release.set()


def test_systemd_hears_what_it_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        assert notify("WATCHDOG=1", {"NOTIFY_SOCKET": path})
        assert systemd.recv(100) == b"WATCHDOG=1"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract:
        abstract.bind("\0platefleet-test")
        assert notify("READY=1", {"NOTIFY_SOCKET": "@platefleet-test"})
        assert abstract.recv(100) == b"READY=1"


def test_without_systemd_nothing_happens(tmp_path: Path) -> None:
    assert not notify("READY=1", {})
    assert not notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert watchdog_s({}) is None
    assert watchdog_s({"WATCHDOG_USEC": "soon"}) is None


def test_the_hottest_believable_zone_is_the_temperature(tmp_path: Path) -> None:
    for number, text in enumerate(["45500", "61250", "-256000", "no"]):
        zone = tmp_path / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "temp").write_text(text)
    assert temperature_c(tmp_path) == 61.25
    assert temperature_c(tmp_path / "nothing") is None


def test_power_is_volts_times_amperes_where_there_is_a_monitor(tmp_path: Path) -> None:
    rail = tmp_path / "1-0040" / "hwmon" / "hwmon3"
    rail.mkdir(parents=True)
    (rail / "in1_input").write_text("5000\n")
    (rail / "curr1_input").write_text("1500\n")
    assert power_w(tmp_path) == 7.5
    assert power_w(tmp_path / "nothing") is None


def test_the_machine_is_described() -> None:
    assert hardware().cores >= 1
    assert hardware().memory_bytes > 0
    assert memory_bytes() > 1 << 20


def test_percentiles_of_each_stage() -> None:
    figures = Figures()
    for ms in range(1, 101):
        figures.took("total", float(ms))
    assert figures.latencies() == {"total": (50.0, 90.0, 99.0)}


def a_camera(**more: object) -> CameraHealth:
    return CameraHealth.model_validate({"lane": "entry", "state": "running", **more})


def test_each_state_of_a_camera_that_shows_nothing_is_a_sentence() -> None:
    cameras = [
        a_camera(),
        a_camera(state="ended", why="the last picture was shown"),
        a_camera(black=True),
        a_camera(frozen=True),
        a_camera(state="stalled", why="no frame came within 5 s"),
        a_camera(state="opening", why="no route"),
        a_camera(state="opening"),
        a_camera(why="its timestamps stand still"),
    ]
    assert list(camera_problems(cameras)) == [
        "entry: the camera shows black; look at its lens, its light and its exposure",
        "entry: the camera shows the same picture again and again; restart it",
        "entry: camera stalled: no frame came within 5 s",
        "entry: the camera is opened again: no route",
        "entry: its timestamps stand still",
    ]


def a_report(record: CameraRecord, newest: Newest[Picture | Over]) -> HealthReport:
    clock, figures = TurnedClock(), Figures()
    return HealthReport(
        settings_of({"kind": "v4l2"}), cameras=[record], newest=newest, figures=figures,
        supervisor=Supervisor(clock, figures), stamp=lambda at: stamped(at, "b" * 36, "synced"), clock=clock,
    )  # fmt: skip


def test_a_camera_whose_frames_go_unseen_is_a_sentence_until_most_are_seen_again() -> None:
    record, newest = CameraRecord("entry"), Newest[Picture | Over](["entry"])
    report = a_report(record, newest)
    frame, at = np.zeros((48, 64, 3), np.uint8), TurnedClock().now()

    def slow(every: int) -> bool:
        """Whether it is told after 200 frames of which the models took one in `every`."""
        for number in range(200):
            picture = Picture(frame, at, at.mono_ns, number)
            record.shown(picture, 0)
            newest.put("entry", picture)
            if number % every == 0:
                newest.take(0)
        problems = report.health(UplinkStats(), a_session("online", "")).problems
        return any("entry: the models see less than a tenth" in problem for problem in problems)

    assert [slow(5), slow(50), slow(5), slow(1)] == [False, True, False, False]


def test_a_problem_is_news_once_until_it_was_gone_and_a_growing_number_is_none() -> None:
    told, new = news(frozenset(), ["1: no frame", "2: no frame", "the disk has 40 MB free"])
    assert len(new) == 3
    told, new = news(told, ["1: no frame", "the disk has 39 MB free", "5 records gave way"])
    assert new == ["5 records gave way"]
    assert news(told, ["2: no frame", "7 records gave way"])[1] == ["2: no frame"]


def test_an_agent_logs_a_problem_once_as_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    agent, _ = an_agent(settings_of({"kind": "v4l2", "device": "/dev/video99"}))
    agent.figures.trouble("test", "something is wrong")
    with caplog.at_level(logging.DEBUG, "platefleet.agent.run"):
        agent.start()
        try:
            for told in range(1, 4):
                agent._tell_health.set()
                assert until(lambda: not agent._tell_health.is_set()), told
        finally:
            agent.stop()
    said = [each.levelno for each in caplog.records if each.message == "problem: something is wrong"]
    assert said == [logging.WARNING]


def a_session(state: str, reason: str) -> SessionHealth:
    return SessionHealth(
        state=state,  # type: ignore[arg-type]  # a word of the table below
        since=SystemClock().now(), reason=reason, connections=0, failed=0, refused=0, dropped=0, denied=0, restored=0,
        faults=0,
    )  # fmt: skip


def test_a_broker_that_refuses_is_a_sentence_and_one_that_is_there_is_not() -> None:
    assert list(session_problems(a_session("refused", "bad user name or password"))) == [
        "broker: bad user name or password"
    ]
    assert not list(session_problems(a_session("online", "")))


def test_records_that_gave_way_clash_or_were_refused_are_sentences() -> None:
    assert len(list(uplink_problems(UplinkStats(gone=3, clashes=1, denied=2)))) == 3
    assert not list(uplink_problems(UplinkStats()))
