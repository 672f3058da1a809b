"""`snapshot`, `diagnose`, `restart`, `set-window`: what they answer, refuse, and make of a restart."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from platefleet.agent.commands.cameras import Cameras
from platefleet.agent.lane import Worked
from platefleet.models.operations import operations
from platefleet.models.operations.diagnose import MOST_BYTES as DIAGNOSIS_BYTES
from platefleet.models.operations.port import NotNow, StoppedEarly
from platefleet.models.operations.reading import arguments_of, packed
from platefleet.models.operations.snapshot import MOST_BYTES
from platefleet.protocol.errors import CameraError, CommandError, ProtocolError
from platefleet.protocol.messages.command import RESULT_LIMIT_BYTES
from tests.commanded import ATestHost
from tests.one_job import OneJob, carried_out, settled


def refused(name: str, **arguments: Any) -> str:
    with pytest.raises(ProtocolError) as caught:
        arguments_of(operations()[name], arguments)
    return str(caught.value)


# snapshot


@dataclass
class Seeing(ATestHost):
    """Its cameras see noise, which hardly a JPEG can be made smaller of."""

    cameras: Cameras | None = None

    def pictures(self, lanes: Any, most_bytes: int) -> Mapping[str, bytes]:
        assert self.cameras is not None
        return self.cameras.pictures(lanes, most_bytes)


@pytest.fixture
def seeing(tmp_path: Path) -> Seeing:
    cameras, throw = Cameras(["in", "out", "blind"]), np.random.default_rng(1)
    for lane in ("in", "out"):
        frame = throw.integers(0, 255, (720, 1280, 3), np.uint8)
        cameras.watch(cast(Worked, SimpleNamespace(lane=lane, picture=SimpleNamespace(frame=frame))))
    return Seeing(tmp_path, cameras=cameras)


@pytest.mark.parametrize("most", [MOST_BYTES, 40_000])
def test_pictures_of_all_lanes_stay_within_the_bytes_that_were_asked_for(seeing: Seeing, most: int) -> None:
    result = carried_out("snapshot", seeing, lanes=("in", "out"), most_bytes=most)
    assert set(result.pictures) == {"in", "out"}
    assert all(data.startswith(b"\xff\xd8") for data in result.pictures.values())
    assert sum(map(len, result.pictures.values())) <= most
    assert len(packed(result)) <= RESULT_LIMIT_BYTES


def test_bytes_into_which_no_picture_fits_are_refused_and_not_half_filled(seeing: Seeing) -> None:
    with pytest.raises(CameraError, match="ask for fewer lanes"):
        carried_out("snapshot", seeing, lanes=("in", "out"), most_bytes=4096)


@pytest.mark.parametrize(
    ("lanes", "says"), [(("roof",), "is no lane of this device"), (("blind",), "no picture came yet")]
)
def test_a_lane_that_is_none_or_gave_no_picture_is_named(seeing: Seeing, lanes: tuple[str, ...], says: str) -> None:
    with pytest.raises((CameraError, NotNow), match=says):  # what has not come yet is asked for again
        carried_out("snapshot", seeing, lanes=lanes)


def test_a_snapshot_of_more_than_a_status_carries_is_refused() -> None:
    assert "most_bytes" in refused("snapshot", most_bytes=MOST_BYTES + 1)
    assert "lanes" in refused("snapshot", lanes="in")


# diagnose


@dataclass
class Sick(ATestHost):
    def diagnosis(self) -> Mapping[str, Any]:
        return {"health": {"fps": 9.5}, "log": "x" * DIAGNOSIS_BYTES, "problems": ["camera in: no picture"]}


def test_a_diagnosis_leaves_out_what_does_not_fit_and_says_so(tmp_path: Path) -> None:
    result = carried_out("diagnose", Sick(tmp_path))
    assert result.found == {"health": {"fps": 9.5}, "problems": ["camera in: no picture"]}
    assert result.cut == ("log",)
    assert len(packed(result)) <= RESULT_LIMIT_BYTES


def test_there_is_nothing_to_tell_a_diagnosis() -> None:
    assert "deep" in refused("diagnose", deep=True)


# restart


def test_a_restart_has_succeeded_when_another_run_of_the_agent_has_begun(tmp_path: Path) -> None:
    host, job = ATestHost(tmp_path), OneJob(stop_at="restarting")
    with pytest.raises(StoppedEarly):  # the agent ends while it waits to be ended
        carried_out("restart", host, job)
    assert host.anew == 1
    host.run_id = "2" * 32
    result = settled("restart", host, job)
    assert (result.before, result.now) == ("1" * 32, "2" * 32)


def test_a_restart_of_the_same_run_has_not_happened(tmp_path: Path) -> None:
    host = ATestHost(tmp_path)
    assert settled("restart", host, OneJob(kept={"run": host.run_id})) is None
    assert settled("restart", host, OneJob()) is None


def test_a_restart_that_nobody_carries_out_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platefleet.models.operations.restart.WAIT_S", 0.05)
    began = time.monotonic()
    with pytest.raises(CommandError, match="did not end"):
        carried_out("restart", ATestHost(tmp_path))
    assert time.monotonic() - began < 30


# set-window

HOURS = {"zone": "Europe/Berlin", "spans": ("23:00-04:30", "sat,sun 13:00-15:00"), "days_off": ("2026-12-24",)}


def test_a_window_is_set_and_the_one_before_is_told(tmp_path: Path) -> None:
    host = ATestHost(tmp_path)
    before = host.window()
    result = carried_out("set-window", host, **HOURS, quiet_s=60, grace_s=30)
    assert host.window() == result.window
    assert [(span.days, span.start, span.end) for span in result.window.spans] == [
        (("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "23:00", "04:30"),
        (("sat", "sun"), "13:00", "15:00"),
    ]
    assert (result.before, result.window.quiet_s, result.window.grace_s) == (before, 60, 30)


def test_hours_that_are_no_text_of_hours_are_refused_by_name() -> None:
    assert "spans" in refused("set-window", zone="UTC", spans=("always",))
    assert "spans" in refused("set-window", zone="UTC", spans=("25:00-04:30",))
    assert "days_off" in refused("set-window", zone="UTC", days_off=("2026-13-01",))
    assert "days_off" in refused("set-window", zone="UTC", days_off=("yesterday",))
    assert "zone" in refused("set-window", zone="../etc/passwd")
    assert "Europe/Atlantis" in refused("set-window", zone="Europe/Atlantis")
    assert "mon,tue 23:00-04:30 is one" in refused("set-window", zone="UTC", spans=("25:00-04:30",))
    assert "quiet_s" in refused("set-window", zone="UTC", quiet_s=-1)


def test_a_window_that_was_stopped_before_it_was_set_is_as_it_was(tmp_path: Path) -> None:
    host, job = ATestHost(tmp_path), OneJob()
    before, job.stopped = host.window(), True
    with pytest.raises(StoppedEarly):
        carried_out("set-window", host, job, **HOURS)
    assert host.window() == before


def test_a_window_that_is_set_a_second_time_after_a_restart_is_the_same(tmp_path: Path) -> None:
    host, job = ATestHost(tmp_path), OneJob()
    first = carried_out("set-window", host, job, **HOURS)
    again = settled("set-window", host, job, **HOURS) or carried_out("set-window", host, job, **HOURS)
    assert again.window == first.window
