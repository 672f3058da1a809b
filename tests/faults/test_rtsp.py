"""A camera over RTSP: its pictures, its password, and its own times, by which a burst after a stall is old."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Iterator

from platefleet.agent.cameras.reader import Patience
from platefleet.models.detections import Frame
from platefleet.protocol.clock import SECOND_NS
from tests.camera_servers import CameraServer, noise, serving
from tests.faults.test_cameras import CLOCK, watching
from tests.rtsp_server import play
from tests.until import BUSY, until

FPS = 20.0
STALL_S = 2.0


def live(server: CameraServer, count: int | None = None) -> Iterator[tuple[float, Frame]]:
    """Pictures at the camera's rate, timed by when they were taken."""
    began = time.monotonic()
    for number in itertools.count() if count is None else range(count):
        if server.stopped.wait(max(0.0, began + number / FPS - time.monotonic())):
            return
        yield number / FPS, noise(number % 50)


def options(server: CameraServer, **more: str) -> dict[str, object]:
    return {"kind": "rtsp", "url": f"rtsp://127.0.0.1:{server.port}/live", **more}


def test_a_camera_over_rtsp_shows_its_pictures_as_old_as_they_are() -> None:
    with (
        serving(lambda server, connection, _: play(server, connection, live(server))) as server,
        watching(options(server), Patience(5.0, 2.0)) as watched,
    ):
        pictures = [watched.picture() for _ in range(10)]
        assert pictures[0].frame.shape == (120, 160, 3)
        ages_ns = [picture.arrived_mono_ns - picture.captured.mono_ns for picture in pictures]
        assert max(ages_ns) < SECOND_NS / 4 * BUSY
        steps = [b.captured.mono_ns - a.captured.mono_ns for a, b in itertools.pairwise(pictures)]
        assert all(step > 0 for step in steps)


def test_a_camera_that_wants_a_password_gets_it_from_the_settings_and_a_wrong_one_is_told_without_it() -> None:
    def serve(server: CameraServer, connection: socket.socket, _: int) -> None:
        play(server, connection, live(server), user="viewer:p@ss/word")

    with serving(serve) as server:
        with watching(options(server, username="viewer", password="p@ss/word"), Patience(5.0, 2.0)) as watched:
            watched.picture()
        with watching(options(server, username="viewer", password="hunter2"), Patience(5.0, 2.0)) as watched:
            why = until(lambda: watched.record.why)
    assert "401 (Unauthorized)" in why
    assert "hunter2" not in why


def test_a_burst_after_a_stall_of_the_network_is_old_not_new() -> None:
    def late(server: CameraServer) -> Iterator[tuple[float, Frame]]:
        began = time.monotonic()
        for number in itertools.count():
            taken_s = number / FPS
            held_back = 1.0 < taken_s < 1.0 + STALL_S  # what is taken now comes out when the stall is over
            due_s = 1.0 + STALL_S if held_back else taken_s
            if server.stopped.wait(max(0.0, began + due_s - time.monotonic())):
                return
            yield taken_s, noise(number % 50)

    with (
        serving(lambda server, connection, _: play(server, connection, late(server))) as server,
        watching(options(server), Patience(5.0, 4.0)) as watched,
    ):
        ages_s = watched.newest.ages_s
        assert 0 <= until(lambda: tuple(ages_s))[0] < 0.25 * BUSY
        until(lambda: max(ages_s) > STALL_S / 2)
        until(lambda: 0 <= ages_s[-1] < 0.25)  # and what comes after it is new again
        assert max(ages_s) < STALL_S + 0.5 * BUSY
        assert watched.record.reopened == 0


def test_a_stream_that_stops_in_its_middle_is_opened_again() -> None:
    def serve(server: CameraServer, connection: socket.socket, number: int) -> None:
        play(server, connection, live(server, 10 if number == 1 else None))
        server.stopped.wait(30)

    with serving(serve) as server, watching(options(server), Patience(5.0, 0.6)) as watched:
        until(lambda: watched.record.reopened == 1)
        until(lambda: watched.record.state == "running" and server.connections == 2)


def test_health_has_the_cameras_rate() -> None:
    with (
        serving(lambda server, connection, _: play(server, connection, live(server))) as server,
        watching(options(server), Patience(5.0, 2.0)) as watched,
    ):
        until(lambda: watched.record.frames >= 30)
        until(lambda: FPS * 0.7 < watched.record.health(CLOCK.now().mono_ns).fps < FPS * 1.3)
