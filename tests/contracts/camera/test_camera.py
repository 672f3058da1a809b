"""What every opened camera does, whatever its kind: frames in order with rising times, an end, clear errors."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from platefleet.agent.cameras.file import VideoFile, open_file
from platefleet.agent.cameras.folder import open_folder
from platefleet.agent.cameras.port import Raw, Skipped, Source
from platefleet.agent.cameras.v4l2 import open_v4l2
from platefleet.protocol.errors import CameraError
from tests.camera_servers import noise

COUNT, FPS = 6, 10.0
Open = Callable[[], Source]


def a_video(path: Path, count: int = COUNT, fps: float = FPS) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (160, 120))
    assert writer.isOpened()
    for number in range(count):
        writer.write(np.full((120, 160, 3), (30 + number * 30) % 250, np.uint8))
    writer.release()
    return path


def a_folder(path: Path, count: int = COUNT) -> Path:
    path.mkdir()
    for number in range(count):
        cv2.imwrite(str(path / f"{number:03}.png"), np.full((120, 160, 3), (30 + number * 30) % 250, np.uint8))
    return path


@pytest.fixture(params=["file", "folder"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    if request.param == "file":
        video = a_video(tmp_path / "clip.avi")
        return lambda: open_file(str(video), real_time=False)
    pictures = a_folder(tmp_path / "pictures")
    return lambda: open_folder(str(pictures), fps=FPS, real_time=False)


@pytest.fixture(params=["file", "folder"])
def looping(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    if request.param == "file":
        video = a_video(tmp_path / "clip.avi")
        return lambda: open_file(str(video), loop=True, real_time=False)
    pictures = a_folder(tmp_path / "pictures")
    return lambda: open_folder(str(pictures), fps=FPS, loop=True, real_time=False)


def frames(source: Source, most: int = 100) -> Iterator[Raw]:
    for _ in range(most):
        raw = source.read()
        if raw is None:
            return
        if isinstance(raw, Raw):
            yield raw


def test_every_frame_comes_once_in_order(opened: Open) -> None:
    with closing(opened()) as source:
        shown = list(frames(source))
    assert [round(float(raw.frame.mean()) / 30) for raw in shown] == list(range(1, COUNT + 1))
    assert all(raw.frame.shape == (120, 160, 3) and raw.frame.dtype == np.uint8 for raw in shown)


def test_times_rise_by_the_rate(opened: Open) -> None:
    with closing(opened()) as source:
        assert source.fps == FPS
        positions = [raw.position_ns for raw in frames(source) if raw.position_ns is not None]
    assert len(positions) == COUNT
    assert np.allclose(np.diff(positions), 1e9 / FPS, atol=1e6)


def test_after_the_end_the_end_comes_again(opened: Open) -> None:
    with closing(opened()) as source:
        assert len(list(frames(source))) == COUNT
        assert not list(frames(source))


def test_closing_twice_is_harmless(opened: Open) -> None:
    source = opened()
    source.close()
    source.close()


def test_a_loop_goes_on_and_its_times_keep_rising(looping: Open) -> None:
    with closing(looping()) as source:
        positions = [raw.position_ns for raw in frames(source, COUNT * 3)]
    assert len(positions) >= COUNT * 2
    assert all(b > a for a, b in pairwise(positions) if a is not None and b is not None)


def test_real_time_is_no_faster_than_it_was_filmed(tmp_path: Path) -> None:
    video = a_video(tmp_path / "clip.avi", count=4, fps=20.0)
    with closing(open_file(str(video))) as source:
        began = time.monotonic()
        assert len(list(frames(source))) == 4
        assert time.monotonic() - began >= 0.145  # three pauses of 50 ms


@pytest.mark.parametrize(
    ("opens", "sentence"),
    [
        (lambda at: open_file(str(at / "no.mp4")), "no.mp4: there is no such file; check the camera's path"),
        (lambda at: open_folder(str(at / "no")), "no: cannot be listed (No such file or directory)"),
        (lambda at: open_folder(str(at)), "holds no pictures (.bmp, .jpeg, .jpg, .png, .webp); check the path"),
        (lambda at: open_v4l2("/dev/video99"), "/dev/video99: there is no such device; `ls /dev/video*`"),
    ],
)
def test_a_camera_that_is_not_there_is_one_sentence(
    opens: Callable[[Path], Source], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(CameraError) as raised:
        opens(tmp_path)
    assert sentence in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"no video at all", os.urandom(4096), b"RIFF\x00\x00\x00\x00AVI LIST"])
def test_a_file_that_is_no_video_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.avi").write_bytes(content)
    with pytest.raises(CameraError, match=r"a.avi: cannot be opened; check that it is there and gives video"):
        VideoFile(tmp_path / "a.avi")


def test_a_video_cut_short_shows_what_is_left_of_it(tmp_path: Path) -> None:
    video = a_video(tmp_path / "clip.avi", count=20)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with closing(VideoFile(video)) as source:
        assert 1 <= len(list(frames(source))) < 20


def test_pictures_of_a_folder_that_cannot_be_read_are_skipped_and_told(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "pictures", 2)
    (folder / "000a.jpg").write_bytes(b"\xff\xd8\xff broken")
    (folder / "000b.png").write_bytes(b"")
    huge = b"\x89PNG\r\n\x1a\n" + bytes.fromhex("0000000d49484452") + (20_000).to_bytes(4, "big") * 2 + bytes(30)
    (folder / "000c.png").write_bytes(huge)
    cv2.imwrite(str(folder / "001a.png"), noise(1, 64, 48))
    with closing(open_folder(str(folder), real_time=False)) as source:
        read = [source.read() for _ in range(6)]
        assert source.read() is None
    skipped = [one.why for one in read if isinstance(one, Skipped)]
    shapes = [one.frame.shape for one in read if isinstance(one, Raw)]
    assert [why.split(":")[0].rpartition("/")[2] for why in skipped] == ["000a.jpg", "000b.png", "000c.png"]
    assert "20000x20000 pixels" in skipped[2]
    assert shapes == [(120, 160, 3), (120, 160, 3), (48, 64, 3)]


def test_a_folder_of_broken_pictures_alone_is_an_error_not_an_endless_loop(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"no")
    with closing(open_folder(str(folder), loop=True, real_time=False)) as source:
        assert isinstance(source.read(), Skipped)
        with pytest.raises(CameraError, match="none of its 1 pictures can be read"):
            source.read()
