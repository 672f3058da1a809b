"""What a device keeps of its own frames, and that keeping them makes nobody wait."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.agent.cameras.port import Picture
from platefleet.agent.figures import Figures
from platefleet.agent.kept_frames import (
    EVERY_NS,
    KINDS,
    SHARES,
    Kept,
    Kind,
    Pacing,
    due,
    give_way,
    kind_of,
    named,
    recognised,
)
from platefleet.agent.lane import Worked
from platefleet.agent.looks import look_of
from platefleet.agent.own_frames import FrameKeeper
from platefleet.agent.settings.own_frames import OwnFrames
from platefleet.models.detections import Detections
from platefleet.models.own_days import use_of
from platefleet.models.reading import Character, Plate, Reading, Sighting
from platefleet.protocol.clock import Instant
from tests.painted_lane import a_camera, a_visit, an_agent, flat_eyes, folder_of, painted, settings_of
from tests.turned_clock import TurnedClock
from tests.until import until

DAYS = [f"2026-11-{day}" for day in range(10, 30)]
NOON_NS = 1_795_608_000_000_000_000


def a_sighting(
    *, vehicles: Sequence[float] = (100.0,), plate: float | None = 0.9, sure: float = 0.9, bound: int | None = 0
) -> Sighting:
    """vehicles: their heights."""
    boxes = np.array([[0, 0, 50, height] for height in vehicles], np.float32).reshape(-1, 4)
    found = Detections(boxes, np.full(len(boxes), 0.9, np.float32), np.zeros(len(boxes), np.int32))
    if plate is None:
        return Sighting(found)
    box = np.float32([1, 1, 20, 8])
    reading = Reading((Character("B", sure), Character("1", 0.99)))
    return Sighting(found, (Plate(box, box, np.zeros((4, 2), np.float32), plate, reading, bound),))


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (a_sighting(), "plate"),
        (a_sighting(plate=0.4), "hard"),
        (a_sighting(sure=0.3), "hard"),
        (a_sighting(vehicles=(), bound=None), "hard"),
        (a_sighting(plate=None), "hard"),
        (a_sighting(vehicles=(100.0, 90.0)), "hard"),
        (a_sighting(vehicles=(30.0,), plate=None), "plain"),
        (a_sighting(vehicles=(), plate=None), "plain"),
    ],
)
def test_a_frame_is_hard_where_the_models_are_unsure_or_disagree(seen: Sighting, kind: Kind) -> None:
    assert kind_of(seen, 240) == kind


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 40)), max_size=60))
def test_two_frames_of_a_lane_and_kind_are_never_closer_than_stated(steps: list[tuple[Kind, int]]) -> None:
    pacing, now_ns, kept = Pacing(), 0, []
    for kind, seconds in steps:
        now_ns += seconds * 1_000_000_000
        pacing, taken = due(pacing, "entry", kind, now_ns)
        if taken:
            kept.append((kind, now_ns))
    for kind in KINDS:
        times = [at for each, at in kept if each == kind]
        assert all(later - earlier >= EVERY_NS[kind] for earlier, later in pairwise(times))


FRAMES = st.builds(
    lambda day, number, kind, size: Kept(day, f"{day}T00-00-{number:05}Z_a_{kind}.jpg", kind, size),
    st.sampled_from(DAYS), st.integers(0, 99_999), st.sampled_from(KINDS), st.integers(1, 1000),
)  # fmt: skip


@given(st.sets(FRAMES, max_size=40), st.integers(0, 20_000), st.sampled_from(DAYS))
def test_what_stays_fits_and_is_young_and_no_more_gives_way_than_needs_to(
    kept: set[Kept], quota: int, first_day: str
) -> None:
    gone = give_way(kept, quota, first_day)
    stays = kept - set(gone)
    assert len(set(gone)) == len(gone)
    assert sum(each.size for each in stays) <= quota
    assert all(each.day >= first_day for each in stays)
    last = [each for each in gone if each.day >= first_day][-1:]
    assert all(sum(each.size for each in (*stays, back)) > quota for back in last)
    for kind in KINDS:  # a kind within its share loses nothing to the others
        mine = [each for each in kept if each.kind == kind and each.day >= first_day]
        if sum(each.size for each in mine) <= quota * SHARES[kind]:
            assert not set(mine) & set(gone)


def test_no_day_is_for_both_uses_and_each_use_gets_days() -> None:
    uses = [use_of(day) for day in DAYS]
    assert {"evaluation", "calibration"} == set(uses)
    assert uses.count("evaluation") > uses.count("calibration")


@given(st.integers(0, 4_000_000_000_000_000_000), st.sampled_from(KINDS))
def test_a_file_is_recognised_by_its_name(utc_ns: int, kind: Kind) -> None:
    kept = named(utc_ns, "lane_1-plate", kind, 7)
    assert recognised(kept.name, 7) == kept
    assert recognised(f"{kept.name}.part", 7) is None


def a_worked(seen: Sighting, at: Instant) -> Worked:
    frame = painted(60)
    picture = Picture(frame, at, at.mono_ns, 1)
    look = look_of(seen, ("car",), at, (frame.shape[1], frame.shape[0]))
    return Worked("entry", picture, seen, look, (), (), {})


class Keeping:
    """A keeper that runs on a thread, and its folder."""

    def __init__(self, folder: Path, *, dated: bool = True, **settings: int) -> None:
        self.folder, self.figures, self.stop = folder, Figures(), threading.Event()
        self.clock = TurnedClock()
        self.keeper = FrameKeeper(
            OwnFrames(**settings), folder, dated=lambda: dated, least_free_bytes=0, figures=self.figures,
            clock=self.clock,
        )  # fmt: skip

    def __enter__(self) -> Keeping:
        self.thread = threading.Thread(target=self.keeper.run, args=(self.stop, lambda: None))
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def count(self, name: str) -> int:
        return self.figures.counts().get(name, 0)

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.rglob("*.*"))


def test_frames_lie_by_their_use_and_look_like_what_was_seen(tmp_path: Path) -> None:
    with Keeping(tmp_path, keep_days=3650) as keeping:
        keeping.keeper.watch(a_worked(a_sighting(), Instant(NOON_NS, 0)))
        until(lambda: keeping.count("own_frames") == 1)
    (path,) = keeping.files
    assert path.parent.name == use_of(path.name[:10])
    shown = cv2.imread(str(path))
    assert np.abs(shown.astype(int) - painted(60)).mean() < 2


def test_old_frames_give_way_after_a_restart_too_and_rubbish_goes(tmp_path: Path) -> None:
    for number in range(3):
        with Keeping(tmp_path, keep_days=3650, quota_bytes=1 << 20) as keeping:
            keeping.keeper.watch(a_worked(a_sighting(), Instant(NOON_NS + number, 0)))
            until(lambda: keeping.count("own_frames") == 1)
        old = next(path for path in keeping.files if path.suffix == ".jpg")
        old.write_bytes(b"\0" * (900 << 10))
        (old.parent / ".x.jpg.1.new").write_bytes(b"half")
    with Keeping(tmp_path, keep_days=3650, quota_bytes=1 << 20) as keeping:
        keeping.keeper.watch(a_worked(a_sighting(), Instant(NOON_NS + 86_400_000_000_000, 0)))
        until(lambda: keeping.count("own_frames") == 1)
    assert sum(path.stat().st_size for path in keeping.files if path.is_file()) <= 1 << 20
    assert not [path for path in keeping.files if path.suffix == ".new"]


def test_without_a_clock_that_can_be_believed_nothing_is_kept(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path, dated=False)
    keeping.keeper.watch(a_worked(a_sighting(), Instant(NOON_NS, 0)))
    assert keeping.keeper._offered.empty()


def test_offering_never_waits_for_the_disk(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)  # nobody writes
    for number in range(100):
        keeping.keeper.watch(a_worked(a_sighting(), Instant(NOON_NS, number * EVERY_NS["plate"])))
    assert keeping.keeper._offered.qsize() == 1


def test_a_disk_that_refuses_is_a_problem_until_it_works_again(tmp_path: Path) -> None:
    (tmp_path / "evaluation").write_bytes(b"no folder")
    with Keeping(tmp_path, keep_days=3650) as keeping:
        keeping.keeper.watch(a_worked(a_sighting(), Instant(NOON_NS, 0)))
        until(keeping.figures.troubles)
        assert keeping.figures.troubles()[0].startswith("own frames: ")
        (tmp_path / "evaluation").unlink()
        keeping.keeper.watch(a_worked(a_sighting(), Instant(NOON_NS, EVERY_NS["plate"])))
        until(lambda: keeping.count("own_frames") == 1)
        assert keeping.figures.troubles() == []


def test_an_agent_keeps_the_last_look_at_a_car_that_it_could_not_read(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path / "frames", keep_days=3650)
    lane = folder_of(a_visit(), tmp_path / "lane")
    agent, _ = an_agent(settings_of(a_camera(lane)), eyes=flat_eyes(""), keeper=keeping.keeper, figures=keeping.figures)
    agent.start()
    try:
        assert agent.wait_over(60)
        until(lambda: keeping.count("own_frames") >= 2)
    finally:
        agent.stop()
    assert any(path.name.endswith("_hard.jpg") for path in keeping.files)
