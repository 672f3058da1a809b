"""Small parts of the cameras: hand-over, what a picture looks like, secrets, what is kept for health."""

from __future__ import annotations

import logging
import os
import threading
from urllib.parse import quote

import numpy as np
import pytest
from pydantic import ValidationError

from platefleet.agent.cameras.appearance import FROZEN_NS, Appearance, appear
from platefleet.agent.cameras.capture import bgr, unusable
from platefleet.agent.cameras.kinds import open_source
from platefleet.agent.cameras.port import MOST_PIXELS, Picture
from platefleet.agent.cameras.record import CameraRecord
from platefleet.agent.cameras.ring import SLOTS, Ring, make_memory
from platefleet.agent.cameras.secrets import hide, with_credentials
from platefleet.agent.newest import Newest
from platefleet.agent.settings.cameras import RtspCamera
from platefleet.protocol.clock import Instant
from platefleet.protocol.errors import CameraError
from platefleet.protocol.settings_errors import problems
from tests.camera_servers import noise

S = 1_000_000_000


def test_the_newest_item_takes_the_place_of_one_that_nobody_took_and_is_counted() -> None:
    newest: Newest[int] = Newest(["a", "b"])
    for item in range(5):
        newest.put("a", item)
    assert newest.take(0) == ("a", 4)
    assert (newest.replaced("a"), newest.replaced("b")) == (4, 0)
    assert newest.take(0) is None


def test_a_busy_lane_does_not_starve_another() -> None:
    newest: Newest[int] = Newest(["a", "b"])
    newest.put("a", 1)
    newest.put("b", 2)
    assert newest.take(0) == ("a", 1)
    newest.put("a", 3)
    assert newest.take(0) == ("b", 2)
    assert newest.take(0) == ("a", 3)


def test_who_waits_for_an_item_gets_it_when_it_comes_and_who_waits_for_room_when_it_is_taken() -> None:
    newest: Newest[int] = Newest(["a"])
    got: list[object] = []
    taker = threading.Thread(target=lambda: got.append(newest.take(5)))
    taker.start()
    newest.put("a", 1)
    taker.join(5)
    assert got == [("a", 1)]
    newest.put("a", 2)
    assert not newest.wait_free("a", 0.01)
    newest.take(0)
    assert newest.wait_free("a", 0)


def test_black_is_told_from_dark_with_something_in_it() -> None:
    black = np.full((480, 640, 3), 12, np.uint8)
    night = black.copy()
    night[200:240, 300:400] = 200
    assert appear(Appearance(), black, 0).black
    assert not appear(Appearance(), night, 0).black


def test_a_picture_that_stays_the_same_for_ten_seconds_is_frozen_and_noise_is_not() -> None:
    still, seen = noise(1, 640, 480), Appearance()
    for second in range(10):
        seen = appear(seen, still, second * S)
        assert not seen.frozen
    seen = appear(seen, still, FROZEN_NS)
    assert seen.frozen
    assert not appear(seen, noise(2, 640, 480), 11 * S).frozen


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (64, 64), (65, 63)])
def test_pictures_of_any_size_can_be_looked_at(size: tuple[int, int]) -> None:
    assert appear(Appearance(), noise(1, *size), 0).checksum is not None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://admin:pa@ss@10.0.0.9/live", "rtsp://***@10.0.0.9/live"),
        ("rtsp://10.0.0.9/live", "rtsp://10.0.0.9/live"),
        ("http://cam/?user=a&PASSWORD=b&x=1", "http://cam/?user=a&PASSWORD=***&x=1"),
        ("rtsp://admin:pa/ss@10.0.0.9/live", "rtsp://***@10.0.0.9/live"),
        ("rtsp://admin:pa ss@10.0.0.9/live", "rtsp://***@10.0.0.9/live"),
        ("rtsp://admin:p?a s#s@10.0.0.9/live failed", "rtsp://***@10.0.0.9/live failed"),
        ("rtsp://10.0.0.9:554/live failed; ask a@b", "rtsp://10.0.0.9:554/live failed; ask a@b"),
        ("two: rtsp://a:b@c/ and rtsps://d:e@f/", "two: rtsp://***@c/ and rtsps://***@f/"),
        ("rtspsrc location=rtsp://a:b@c/x user-pw=s ! appsink", "rtspsrc location=rtsp://***@c/x user-pw=s ! appsink"),
    ],
)
def test_addresses_lose_their_passwords(text: str, shown: str) -> None:
    assert hide(text) == shown


@pytest.mark.parametrize("user", ["admin:pa/ss", "admin:pa ss", "admin:pa?ss", "admin:pa#ss"])
def test_an_address_whose_password_is_not_percent_encoded_is_refused_without_showing_it(user: str) -> None:
    with pytest.raises(ValidationError) as refused:
        RtspCamera.model_validate({"kind": "rtsp", "url": f"rtsp://{user}@10.0.0.9/live"})
    (line,) = problems(refused.value, RtspCamera)
    assert "must be percent-encoded" in line
    assert user not in line
    quoted = f"rtsp://{quote(user, safe=':')}@10.0.0.9/live"
    assert RtspCamera.model_validate({"kind": "rtsp", "url": quoted}).url.get_secret_value() == quoted


def test_credentials_of_the_settings_take_the_place_of_those_in_the_address() -> None:
    assert with_credentials("rtsp://old:one@h:554/x", "new", "p:@/") == "rtsp://new:p%3A%40%2F@h:554/x"
    assert with_credentials("rtsp://old:one@h/x", None, None) == "rtsp://old:one@h/x"


def test_arrays_that_are_no_pictures_are_told_and_gray_or_transparent_ones_converted() -> None:
    assert unusable(None) == "an empty frame"
    assert unusable(np.zeros((0, 5, 3), np.uint8)) == "a frame of 5x0 pixels"
    assert "type float64" in unusable(np.zeros((5, 5, 3)))
    assert "more than 33 million" in unusable(np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (MOST_PIXELS, 2, 3)))
    for shape in ((4, 5), (4, 5, 1), (4, 5, 4), (4, 5, 3)):
        assert unusable(np.zeros(shape, np.uint8)) == ""
        assert bgr(np.zeros(shape, np.uint8)).shape == (4, 5, 3)


def test_a_frame_comes_out_of_shared_memory_as_it_went_in() -> None:
    memory = make_memory()
    ours, theirs = Ring(memory), Ring(memory)
    os.close(memory)
    frames = [noise(seed, 33 + seed, 21) for seed in range(SLOTS)]
    for slot, frame in enumerate(frames):
        theirs.write(slot, frame)
    for slot, frame in enumerate(frames):
        assert np.array_equal(ours.read(slot, *frame.shape[:2]), frame)
    with pytest.raises(ValueError, match="slot 3 of 3"):
        ours.read(SLOTS, 5, 5)
    ours.close()
    theirs.close()


def test_a_kind_that_does_not_exist_is_told() -> None:
    with pytest.raises(CameraError, match=r"camera.kind: 'ndi' is none of rtsp, file, folder, v4l2, gstreamer"):
        open_source({"kind": "ndi"})


def a_picture(arrived_ns: int, size: tuple[int, int] = (160, 120)) -> Picture:
    return Picture(noise(arrived_ns % 1000, *size), Instant(arrived_ns, arrived_ns), arrived_ns, 1)


def test_health_tells_the_rate_and_what_was_lost() -> None:
    record = CameraRecord("a")
    for n in range(21):
        record.shown(a_picture(n * S // 10), passed_over=1)
    health = record.health(2 * S, replaced=4)
    assert (health.state, health.frames, health.dropped, health.last_frame_ms) == ("running", 21, 25, 0)
    assert health.fps == 10.0
    assert record.health(30 * S).fps == 0.0


def test_why_a_camera_is_opened_again_stays_visible_until_it_runs_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    record = CameraRecord("a")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            record.opening()
            record.lost("failed", "no route", reopens=True)
    record.opening()
    assert (record.health(0).state, record.health(0).why, record.health(0).reopened) == ("opening", "no route", 3)
    assert len(caplog.records) == 1
    record.shown(a_picture(1), 0)
    assert (record.health(1).state, record.health(1).why) == ("running", "")
