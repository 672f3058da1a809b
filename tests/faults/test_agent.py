"""The agent from picture to record, and what it makes of faults: counted, told, nothing lost that was read."""

from __future__ import annotations

import os
import time
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from platefleet.agent.lane import Worked
from platefleet.agent.run import Agent
from platefleet.protocol.clock import SECOND_NS, Instant, SystemClock
from platefleet.protocol.delivery.durable import open_outbox
from platefleet.protocol.delivery.outbox import MemoryOutbox, Outbox
from platefleet.protocol.errors import ModelError
from platefleet.protocol.messages import PlateEvent
from tests.painted_lane import (
    HEIGHT,
    TEXT,
    WIDTH,
    Faulty,
    a_camera,
    a_visit,
    an_agent,
    crops,
    folder_of,
    painted,
    plates,
    settings_of,
)
from tests.until import BUSY, until

HOUR_NS = 3600 * SECOND_NS


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(a_visit(), tmp_path_factory.mktemp("visit") / "pictures")


def played(agent: Agent, timeout_s: float = 30.0) -> None:
    """Run until the pictures are over."""
    agent.start()
    try:
        assert agent.wait_over(timeout_s)
    finally:
        agent.stop()


def test_a_car_is_one_pass_told_while_it_stands_and_once_more_when_it_has_left(visit: Path) -> None:
    seen: list[Worked] = []
    agent, outbox = an_agent(settings_of(a_camera(visit)), observers=[seen.append])
    played(agent)
    told = plates(outbox)
    assert len({event.pass_id for event in told}) == 1
    assert [event.final for event in told] == [False] * (len(told) - 1) + [True]
    assert [event.revision for event in told] == list(range(1, len(told) + 1))
    assert {event.text for event in told} == {TEXT}
    assert (told[0].lane, told[0].vehicle, told[-1].direction) == ("entry", "car", "approaching")
    assert not told[-1].interrupted
    assert set(told[0].ms) >= {"vehicle", "plate", "read", "total", "wait"}
    assert [len(each.records) for each in seen].count(1) == len(told)
    assert len(seen) == len(a_visit()) == agent.health().counters["frames_looked_at"]


def test_pictures_of_plate_and_vehicle_are_cut_from_the_frame_that_their_boxes_belong_to(visit: Path) -> None:
    agent, outbox = an_agent(settings_of(a_camera(visit)))
    played(agent)
    shown = crops(outbox)
    assert shown
    for message in shown:
        assert message.plate is not None
        assert message.vehicle is not None
        plate = cv2.imdecode(np.frombuffer(message.plate, np.uint8), cv2.IMREAD_COLOR)
        assert plate is not None
        height, width = plate.shape[:2]
        assert plate[height // 2, width // 2, 0] > 200  # the blue plate is in the middle of its picture
        assert len(message.plate) + len(message.vehicle) < 120 * 1024


def test_crops_can_be_switched_off(visit: Path) -> None:
    agent, outbox = an_agent(settings_of(a_camera(visit), crops={"enabled": False}))
    played(agent)
    assert not crops(outbox)
    assert plates(outbox)


def test_a_car_outside_the_lanes_polygon_is_no_pass(visit: Path) -> None:
    lane = {"name": "entry", "camera": a_camera(visit), "polygon": [[0.0, 0.0], [0.2, 0.0], [0.2, 1.0], [0.0, 1.0]]}
    agent, outbox = an_agent(settings_of({}, lanes=[lane]))
    played(agent)
    assert not plates(outbox)


def test_a_picture_that_changes_its_size_while_a_car_stands_leaves_it_one_pass(tmp_path: Path) -> None:
    frames = a_visit()
    larger = [
        frame if n < len(frames) // 3 else cv2.resize(frame, (WIDTH * 2, HEIGHT * 2), interpolation=cv2.INTER_NEAREST)
        for n, frame in enumerate(frames)
    ]
    agent, outbox = an_agent(settings_of(a_camera(folder_of([np.asarray(f, np.uint8) for f in larger], tmp_path))))
    played(agent)
    told = plates(outbox)
    assert len({event.pass_id for event in told}) == 1
    assert agent.health().counters["camera_resized"] == 1
    assert told[-1].vehicle_box is not None
    assert told[-1].vehicle_box[2] > WIDTH  # boxes are pixels of the picture that they were seen in


def test_a_clock_that_jumps_back_an_hour_makes_no_second_pass_and_no_old_one(visit: Path) -> None:
    class Jumping(SystemClock):
        calls = 0

        def now(self) -> Instant:
            self.calls += 1
            now = super().now()
            return now if self.calls < 150 else Instant(now.utc_ns - HOUR_NS, now.mono_ns)

    agent, outbox = an_agent(settings_of(a_camera(visit)), clock=Jumping())
    played(agent)
    told = plates(outbox)
    assert len({event.pass_id for event in told}) == 1
    assert told[-1].final
    assert told[-1].captured.mono_ns >= told[0].captured.mono_ns
    assert agent.health().cameras[0].state == "ended"


def test_an_outbox_that_takes_no_record_is_counted_and_told_and_the_lane_goes_on(visit: Path) -> None:
    clock = SystemClock()
    agent, outbox = an_agent(settings_of(a_camera(visit)), outbox=MemoryOutbox(clock=clock, quota_bytes=400))
    played(agent)
    health = agent.health()
    assert health.counters["outbox_refused"] >= 2
    assert any("cannot be kept and are lost" in problem for problem in health.problems)
    assert health.counters["frames_looked_at"] == len(a_visit())
    assert not plates(outbox)


def test_pictures_that_the_models_fail_on_are_left_out_and_counted(visit: Path) -> None:
    faults = {n: ModelError("the forward pass failed") for n in (5, 6, 20)}
    agent, outbox = an_agent(settings_of(a_camera(visit)), eyes=Faulty(faults))
    played(agent)
    assert agent.health().counters["model_failures"] == 3
    assert {event.text for event in plates(outbox)} == {TEXT}
    assert not any("models" in problem for problem in agent.health().problems)  # it went well since


def test_a_fault_of_our_own_in_a_thread_starts_it_again_and_is_counted(visit: Path) -> None:
    agent, outbox = an_agent(settings_of(a_camera(visit)), eyes=Faulty({4: ZeroDivisionError("a bug")}))
    played(agent)
    assert agent.health().counters["restarts"] == 1
    assert {event.text for event in plates(outbox)} == {TEXT}


def test_models_that_cannot_be_opened_end_the_start_with_their_sentence_and_leave_nothing() -> None:
    settings = settings_of({"kind": "v4l2", "device": "/dev/video99"})
    agent, _ = an_agent(settings)

    def refuse() -> dict[str, object]:
        raise ModelError("vehicle.onnx: no model; fetch it again")

    agent._detection._open_eyes = refuse  # type: ignore[assignment]  # the one part that fails
    with pytest.raises(ModelError, match=r"vehicle.onnx: no model"):
        agent.start()
    agent.stop()


def test_an_observer_that_fails_stops_nothing_and_is_counted(visit: Path) -> None:
    def clumsy(_: Worked) -> None:
        raise RuntimeError("no display")

    agent, outbox = an_agent(settings_of(a_camera(visit)), observers=[clumsy])
    played(agent)
    assert agent.health().counters["observer_faults"] == len(a_visit())
    assert plates(outbox)


def test_an_agent_stops_within_two_seconds_with_an_open_pass_and_a_camera_that_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.avi")
    standing = folder_of(
        [painted(top) for top in (-110, -110, *range(-90, 91, 12))] + [painted(90)] * 60, tmp_path / "p"
    )
    camera = a_camera(standing, real_time=True, loop=False)
    lanes = [
        {"name": "entry", "camera": camera},
        {"name": "hung", "camera": {"kind": "file", "path": str(tmp_path / "pipe.avi")}},
    ]
    agent, outbox = an_agent(settings_of({}, lanes=lanes))
    agent.start()
    until(lambda: plates(outbox))
    began = time.monotonic()
    agent.stop()
    assert time.monotonic() - began < 2.0 * BUSY
    last = plates(outbox)[-1]
    assert (last.final, last.interrupted, last.text) == (True, True, TEXT)
    assert not [child for child in psutil.Process().children() if "cameras.child" in " ".join(child.cmdline())]


ARRIVES_AND_STANDS = [painted(top) for top in (-110, -110, *range(-90, 91, 12))] + [painted(90)] * 60
STANDS_AND_LEAVES = [painted(90)] * 30 + [painted(top) for top in range(102, 245, 12)] + [painted(250)] * 25


def played_through(agent: Agent, outbox: Outbox) -> list[PlateEvent]:
    """Run until the pictures are over; return what the outbox holds then."""
    agent.start()
    try:
        assert agent.wait_over(30.0)
        return plates(outbox)
    finally:
        agent.stop()


def left_open(folder: Path, outbox: Outbox) -> str:
    """Stop an agent under a standing car; return the name of the car's pass."""
    camera = a_camera(folder_of(ARRIVES_AND_STANDS, folder), real_time=True)
    agent, _ = an_agent(settings_of(camera), outbox=outbox)
    agent.start()
    (told,) = until(lambda: plates(outbox), 30)
    agent.stop()
    return told.pass_id


def test_a_car_that_stands_over_a_stop_in_order_is_one_pass(tmp_path: Path) -> None:
    clock = SystemClock()
    first = open_outbox(tmp_path / "outbox", clock=clock)
    pass_id = left_open(tmp_path / "before", first)
    second = open_outbox(tmp_path / "outbox", clock=clock)
    assert [event.final for event in plates(second)] == [False]
    agent, _ = an_agent(settings_of(a_camera(folder_of(STANDS_AND_LEAVES, tmp_path / "after"))), outbox=second)
    events = played_through(agent, second)
    assert {event.pass_id for event in events} == {pass_id}
    assert [(event.revision, event.final, event.interrupted) for event in events] == [
        (1, False, False),
        (2, False, False),
        (3, True, False),
    ]
    assert agent.health().counters["passes_taken_over"] == 1


def test_a_pass_of_a_lane_that_is_no_more_is_closed(tmp_path: Path) -> None:
    clock = SystemClock()
    first = open_outbox(tmp_path / "outbox", clock=clock)
    pass_id = left_open(tmp_path / "before", first)
    second = open_outbox(tmp_path / "outbox", clock=clock)
    lane = {"name": "exit", "camera": a_camera(folder_of([painted(250)] * 5, tmp_path / "after"))}
    agent, _ = an_agent(settings_of({}, lanes=[lane]), outbox=second)
    last = played_through(agent, second)[-1]
    assert (last.pass_id, last.lane, last.final, last.interrupted) == (pass_id, "entry", True, True)


def test_health_tells_how_the_disk_of_the_outbox_is(visit: Path, tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "outbox", clock=SystemClock())
    (tmp_path / "outbox.broken-20261125T120000Z").touch()
    agent, _ = an_agent(settings_of(a_camera(visit), outbox={"file": str(tmp_path / "outbox")}), outbox=outbox)
    agent.start()
    try:
        assert agent.wait_over(30.0)
        health = agent.health()
    finally:
        agent.stop()
    assert not health.outbox_volatile
    assert health.disk_free_bytes
    assert "append" in health.latency_ms
    assert {name: health.counters[f"outbox_{name}"] for name in ("fallbacks", "volatile_records", "kept_beside")} == {
        "fallbacks": 0,
        "volatile_records": 0,
        "kept_beside": 1,
    }
    assert health.counters["uplink_gone"] == 0


def test_a_disk_that_refuses_is_told_in_health_and_cars_are_told_all_the_same(visit: Path) -> None:
    outbox = open_outbox(Path("/proc/platefleet/outbox"), clock=SystemClock())
    agent, _ = an_agent(settings_of(a_camera(visit)), outbox=outbox)
    events = played_through(agent, outbox)
    health = agent.health()
    assert health.outbox_volatile
    assert any("Until then records are kept in memory" in problem for problem in health.problems)
    assert {event.text for event in events} == {TEXT}
    assert events[-1].final


def test_health_tells_what_is_wrong_in_sentences(tmp_path: Path) -> None:
    agent, _ = an_agent(settings_of({"kind": "file", "path": str(tmp_path / "no.mp4"), "open_timeout_s": 5.0}))
    agent.start()
    try:
        health = until(
            lambda: (h := agent.health()).cameras[0].reopened and any("broker" in p for p in h.problems) and h
        )
    finally:
        agent.stop()
    wrong = " | ".join(health.problems)
    assert f"entry: camera failed: {tmp_path}/no.mp4: there is no such file" in wrong or "opened again" in wrong
    assert "broker: 127.0.0.1:1 cannot be reached: Connection refused" in wrong
    assert health.memory_bytes > 10 << 20
    assert health.outbox_depth == 1  # the epoch's opening
    assert {"uplink_appended", "session_failed", "camera_bad_frames"} <= set(health.counters)


def test_health_tells_what_every_stage_costs(visit: Path) -> None:
    agent, _ = an_agent(settings_of(a_camera(visit)))
    played(agent)
    health = agent.health()
    assert {"vehicle", "plate", "read", "total", "wait", "follow", "told"} <= set(health.latency_ms)
    for p50, p90, p99 in health.latency_ms.values():
        assert 0 <= p50 <= p90 <= p99
    assert (health.cameras[0].frames, health.cameras[0].dropped) == (len(a_visit()), 0)
