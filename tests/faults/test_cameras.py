"""Cameras that hang, vanish, go black or change: the reader opens them again, counts it and says why."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import psutil

from platefleet.agent.cameras.kinds import Options
from platefleet.agent.cameras.port import Over, Picture
from platefleet.agent.cameras.reader import CameraReader, Patience
from platefleet.agent.cameras.record import CameraRecord
from platefleet.agent.newest import Newest
from platefleet.deploy.demo.broker import free_port
from platefleet.models.detections import Frame
from platefleet.protocol.backoff import Backoff
from platefleet.protocol.clock import SECOND_NS, SystemClock
from tests.camera_servers import HEAD, CameraServer, noise, part, pictures, serving
from tests.until import BUSY, until

CLOCK = SystemClock()
SOON = Patience(open_s=2.0, stall_s=0.5)


class Noted(Newest[Picture | Over]):
    """Notes how old each picture was when it came: who takes the newest, late, sees none of those before it."""

    def __init__(self) -> None:
        super().__init__(["lane"])
        self.ages_s: list[float] = []

    def put(self, lane: str, item: Picture | Over) -> None:
        if isinstance(item, Picture):
            self.ages_s.append((item.arrived_mono_ns - item.captured.mono_ns) / SECOND_NS)
        super().put(lane, item)


class Watched:
    """A reader in its thread, with what it shows."""

    def __init__(self, options: Options, patience: Patience) -> None:
        self.record = CameraRecord("lane")
        self.newest = Noted()
        self._stop = threading.Event()
        reader = CameraReader(
            lambda: options, self.newest, self.record, CLOCK, patience=patience, backoff=Backoff(0.01, 0.05)
        )
        self._thread = threading.Thread(target=reader.run, args=(self._stop, lambda: None), daemon=True)
        self._thread.start()

    def picture(self, timeout_s: float = 10.0) -> Picture:
        return until(self._next_picture, timeout_s)

    def _next_picture(self) -> Picture | None:
        taken = self.newest.take(0.1)
        return taken[1] if taken is not None and isinstance(taken[1], Picture) else None

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(2 * BUSY)
        assert not self._thread.is_alive()


@contextmanager
def watching(options: Options, patience: Patience = SOON) -> Iterator[Watched]:
    watched = Watched(options, patience)
    try:
        yield watched
    finally:
        watched.stop()


def http(server: CameraServer) -> Options:
    return {"kind": "rtsp", "url": f"http://user:secret@127.0.0.1:{server.port}/"}


def noises() -> Iterator[Frame]:
    return (noise(seed) for seed in itertools.count())


def test_a_network_camera_shows_its_pictures() -> None:
    with (
        serving(lambda server, connection, _: pictures(server, connection, noises())) as server,
        watching(http(server)) as watched,
    ):
        assert watched.picture().frame.shape == (120, 160, 3)
        health = until(lambda: (h := watched.record.health(CLOCK.now().mono_ns)).frames > 5 and h)
        assert (health.state, health.why, health.reopened, health.black, health.frozen) == (
            "running",
            "",
            0,
            False,
            False,
        )


def test_a_decoder_that_hangs_inside_a_read_is_killed_and_the_camera_opened_again() -> None:
    def serve(server: CameraServer, connection: socket.socket, number: int) -> None:
        pictures(server, connection, itertools.islice(noises(), 5) if number == 1 else noises())
        server.stopped.wait(30)  # says nothing more, and keeps the connection

    with serving(serve) as server, watching(http(server)) as watched:
        watched.picture()
        until(lambda: watched.record.reopened)
        until(lambda: server.connections >= 2 and watched.record.state == "running")
        watched.picture()
        assert watched.record.reopened == 1


def test_a_camera_that_takes_the_connection_and_never_answers_is_told_as_stalled() -> None:
    with serving(lambda server, connection, _: server.stopped.wait(30)) as server:
        options = {"kind": "rtsp", "url": f"rtsp://user:secret@127.0.0.1:{server.port}/live"}
        with watching(options, Patience(open_s=0.8, stall_s=0.5)) as watched:
            until(lambda: server.connections >= 2)
            assert watched.record.reopened >= 1
            assert watched.record.why == "it does not open within 0.8 s; its decoder was ended and is started again"


def test_a_file_that_nobody_writes_to_hangs_no_thread_of_ours(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.avi")
    with watching({"kind": "file", "path": str(tmp_path / "pipe.avi")}, Patience(0.6, 0.5)) as watched:
        until(lambda: watched.record.reopened >= 1)
        assert watched.record.state in {"stalled", "opening"}


def test_a_camera_that_is_not_there_is_tried_again_until_it_is_and_its_password_is_never_told() -> None:
    port = free_port()
    with watching({"kind": "rtsp", "url": f"rtsp://user:secret@127.0.0.1:{port}/live"}) as watched:
        until(lambda: watched.record.reopened >= 2)
        assert watched.record.why.startswith(f"rtsp://***@127.0.0.1:{port}/live: cannot be opened")
        assert "Connection refused" in watched.record.why
        assert "secret" not in watched.record.why


def test_a_stream_that_the_camera_closes_is_opened_again() -> None:
    def serve(server: CameraServer, connection: socket.socket, number: int) -> None:
        pictures(server, connection, itertools.islice(noises(), 3))
        connection.close()

    with serving(serve) as server, watching(http(server)) as watched:
        until(lambda: server.connections >= 3)
        assert watched.record.frames >= 2


def test_a_decoder_that_dies_is_started_again() -> None:
    with (
        serving(lambda server, connection, _: pictures(server, connection, noises())) as server,
        watching(http(server)) as watched,
    ):
        watched.picture()
        decoder = _child()
        decoder.kill()
        until(lambda: watched.record.reopened == 1)
        assert "SIGKILL" in watched.record.why
        until(lambda: watched.record.state == "running")


def test_a_stream_that_changes_its_size_goes_on_with_the_whole_picture() -> None:
    def marked(width: int, height: int) -> Frame:
        frame = noise(width, width, height)
        frame[-height // 4 :, -width // 4 :] = 255
        return frame

    frames = itertools.chain([marked(160, 120)] * 5, itertools.repeat(marked(320, 240)))
    with (
        serving(lambda server, connection, _: pictures(server, connection, frames)) as server,
        watching(http(server)) as watched,
    ):
        until(lambda: watched.record.frames > 20)
        corner = watched.picture().frame
        assert corner[-10:, -10:].mean() > 240  # scaled, not cut
        assert (watched.record.state, watched.record.reopened) == ("running", 0)


def test_pictures_of_changing_sizes_are_shown_as_they_are_and_counted(tmp_path: Path) -> None:
    for number, (width, height) in enumerate([(160, 120), (160, 120), (320, 200), (96, 64)]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), noise(number, width, height))
    with watching({"kind": "folder", "path": str(tmp_path), "fps": 20.0}) as watched:
        shapes = {watched.picture().frame.shape for _ in range(3)}
        until(lambda: watched.record.state == "ended")
        assert (200, 320, 3) in shapes
        assert watched.record.resized == 2


def test_broken_pictures_in_a_stream_are_left_out_and_the_good_ones_shown() -> None:
    def serve(server: CameraServer, connection: socket.socket, _: int) -> None:
        connection.recv(4096)
        connection.sendall(HEAD)
        for number, frame in enumerate(noises()):
            if server.stopped.wait(0.02):
                return
            data = part(frame)
            connection.sendall(data if number % 5 < 4 else data[:120] + bytes(len(data) - 122) + b"\r\n")

    with serving(serve) as server, watching(http(server)) as watched:
        until(lambda: watched.record.frames >= 10)
        assert watched.record.bad_frames >= 1
        assert (watched.record.state, watched.record.reopened) == ("running", 0)


def test_a_black_and_a_frozen_picture_are_seen() -> None:
    black = np.zeros((120, 160, 3), np.uint8)
    with (
        serving(lambda server, connection, _: pictures(server, connection, itertools.repeat(black))) as server,
        watching(http(server)) as watched,
    ):
        until(lambda: watched.record.health(CLOCK.now().mono_ns).black)


def test_nothing_is_left_when_a_reader_stops() -> None:
    with serving(lambda server, connection, _: pictures(server, connection, noises())) as server:
        before = len(os.listdir("/proc/self/fd"))
        with watching(http(server)) as watched:
            watched.picture()
            child = _child()
        assert not child.is_running()
        until(lambda: len(os.listdir("/proc/self/fd")) <= before + 1)  # the server's own end closes when it notices


def test_a_decoder_that_hangs_ends_with_the_agent_that_is_killed(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.avi"
    os.mkfifo(pipe)
    program = (
        "import sys, time; from platefleet.agent.cameras.decoder import Decoder;"
        f"print(Decoder({{'kind': 'file', 'path': {str(pipe)!r}}}).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as agent:
        assert agent.stdout is not None
        decoder = psutil.Process(int(agent.stdout.readline()))
        agent.kill()
    until(lambda: not decoder.is_running() or decoder.status() == psutil.STATUS_ZOMBIE)


def test_a_gstreamer_pipeline_without_gstreamer_is_one_clear_sentence() -> None:
    with watching({"kind": "gstreamer", "pipeline": "videotestsrc ! appsink"}) as watched:
        until(lambda: watched.record.reopened)
        assert watched.record.why == (
            f"this OpenCV ({cv2.__version__}) is built without GStreamer, so a pipeline cannot be opened; use "
            "JetPack's own OpenCV (a virtual environment with --system-site-packages) or a camera of kind rtsp"
        )


def _child() -> psutil.Process:
    """The one decoder of this process."""
    return until(
        lambda: next(
            (c for c in psutil.Process().children() if "platefleet.agent.cameras.child" in " ".join(c.cmdline())), None
        )
    )


def test_a_file_that_ends_is_over_and_not_opened_again(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), noise(1))
    for number in range(1000):  # time for us to give the picture's slot back, which the decoder never reads
        (tmp_path / f"1-{number}.png").write_bytes(b"broken")
    with watching({"kind": "folder", "path": str(tmp_path)}) as watched:
        until(lambda: watched.record.state == "ended")
        assert (watched.record.reopened, watched.record.why) == (0, "the last picture was shown")
