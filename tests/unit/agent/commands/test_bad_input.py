"""What a command gets that cannot be done now, or ever: a reason in one sentence, and nothing else stands still."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from platefleet.agent.commands.tries import LEAVE_S
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.errors import ArtifactError
from platefleet.models.operations import operations
from platefleet.models.operations.port import Hosts
from platefleet.protocol.commands.desk import OPEN_MOST
from platefleet.protocol.commands.holds import Hours
from platefleet.protocol.commands.lifecycle import RESTARTS
from tests.commanded import HOUR, ATestHost, Commanded
from tests.until import until

BUILD = {"role": "plate", "format": "onnx"}
FETCH = {"role": "plate", "url": "https://models.example.org/plate.onnx", "sha256": "0" * 64, "bytes": 7}
WITHOUT_ARTIFACTS = {"diagnose", "restart", "set-window", "snapshot"}
NEVER = Hours(False, says="the window never opens; give it hours with set-window")


class Stuck(ATestHost):
    """A camera that gives no picture before it is let go."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked, self.let_go = threading.Event(), threading.Event()
        self.times = 0

    def pictures(self, lanes: Sequence[str], most_bytes: int) -> Mapping[str, bytes]:
        self.times += 1
        self.asked.set()
        assert self.let_go.wait(60)
        return super().pictures(lanes, most_bytes)


def test_the_thirty_third_open_command_is_rejected(device: Commanded) -> None:
    device.how = replace(device.how, hours=NEVER)
    ids = [device.send("build", arguments=BUILD) for _ in range(OPEN_MOST)]
    for id_ in ids:
        device.until(id_, "waiting")
    assert device.until(device.send("build", arguments=BUILD), "rejected").reason == (
        "32 commands are open already; cancel some, or wait"
    )


class Bare(ATestHost):
    """A device without a store."""

    @property
    def store(self) -> ArtifactStore:
        raise ArtifactError("this device keeps no artifacts; set models.store in its configuration")


def test_what_a_device_without_artifacts_can_never_do_is_rejected_when_it_comes_and_not_at_night(
    tmp_path: Path,
) -> None:
    device = Commanded(tmp_path, host=Bare(tmp_path)).start()
    try:
        told = device.until(device.send("build", arguments=BUILD), "rejected")
        assert told.reason == "this device keeps no artifacts; set models.store in its configuration"
    finally:
        device.stop()


@pytest.mark.parametrize("name", sorted(set(operations()) - WITHOUT_ARTIFACTS))
def test_every_operation_says_whether_it_needs_the_artifacts_of_the_device(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="keeps no artifacts"):
        operations()[name].require(None, Bare(tmp_path))


def test_a_file_of_a_host_that_the_device_does_not_ask_is_rejected_when_it_comes(device: Commanded) -> None:
    told = device.until(device.send("fetch", arguments=FETCH), "rejected")
    assert told.reason.startswith("models.example.org: is not one of the hosts")
    assert "commands.hosts" in told.reason


def test_a_host_that_the_device_asks_no_more_is_not_asked_by_what_was_taken_before(device: Commanded) -> None:
    device.host.hosts = Hosts(("models.example.org",))
    device.how = replace(device.how, hours=NEVER)
    id_ = device.send("fetch", arguments=FETCH)
    device.until(id_, "waiting")
    device.host.hosts = Hosts()
    device.how = replace(device.how, hours=Hours(True))
    device.clock.turn(2)
    assert "commands.hosts" in device.until(id_, "rejected").reason


def test_a_window_that_never_opens_ends_it_with_that_reason(device: Commanded) -> None:
    device.how = replace(device.how, hours=NEVER)
    id_ = device.send("build", arguments=BUILD)
    why = device.until(id_, "waiting").why
    assert why is not None
    assert (why.hold, why.says, why.until_ns) == ("window", NEVER.says, None)
    device.clock.turn(3601)
    assert device.until(id_, "expired").reason.endswith(f"it waited: {NEVER.says}")


def test_without_a_clock_a_command_waits_for_it_and_is_judged_when_it_is_good(device: Commanded) -> None:
    device.clock_good = False
    id_ = device.send("snapshot", by="anna")
    why = device.until(id_, "waiting").why
    assert why is not None
    assert why.hold == "clock"
    assert device.statuses(id_)[-1].operator == "anna"
    device.clock_good = True
    assert device.until(id_, "succeeded", turning=True).operator == "anna"


def test_without_a_clock_a_command_expires_by_the_time_that_passes(device: Commanded) -> None:
    device.clock_good = False
    id_ = device.send("snapshot", by="anna")
    device.until(id_, "waiting")
    device.clock.turn(3601)
    assert "not synchronised" in device.until(id_, "expired").reason


def test_what_was_taken_without_a_clock_and_was_too_late_is_never_done(device: Commanded) -> None:
    device.clock_good = False
    now_ns = device.clock.now().utc_ns
    id_ = device.send("snapshot", by="anna", issued_at=now_ns - 3 * HOUR, not_after=now_ns - 2 * HOUR)
    device.until(id_, "waiting")
    device.clock_good = True
    device.clock.turn(1)
    device.until(id_, "expired")
    assert "running" not in device.states(id_)


def test_without_a_clock_an_operator_who_may_not_is_rejected_all_the_same(device: Commanded) -> None:
    device.clock_good = False
    id_ = device.send("restart", by="anna")
    assert device.until(id_, "rejected").reason == "anna is an operator; restart takes an administrator"
    assert device.host.anew == 0


def test_what_was_taken_without_a_clock_changes_no_choices_before_it_is_judged(device: Commanded) -> None:
    device.clerk.choose(7, {})
    device.clock_good = False
    old = device.send("set-window", arguments={"zone": "UTC"}, builds_on=2)
    new = device.send("set-window", arguments={"zone": "Asia/Kolkata"}, builds_on=7)
    device.until(old, "waiting")
    device.until(new, "waiting")
    assert device.choices.version == 7
    device.clock_good = True
    device.clock.turn(1)
    assert "builds on version 2" in device.until(old, "rejected").reason
    device.until(new, "succeeded", turning=True)
    assert (device.choices.version, device.choices.window.zone) == (8, "Asia/Kolkata")


def test_a_step_that_takes_too_long_is_stopped_and_has_failed(device: Commanded) -> None:
    id_ = device.send("restart")
    until(lambda: device.host.anew == 1)
    device.clock.turn(121)
    reason = device.until(id_, "failed").reason
    assert reason == "restarting took longer than the 120 s that it may"


def test_a_try_that_does_not_stop_ends_and_holds_its_slot_alone(tmp_path: Path) -> None:
    host = Stuck(tmp_path)
    device = Commanded(tmp_path, host=host).start()
    id_ = device.send("snapshot", by="anna")
    until(host.asked.is_set)
    device.clock.turn(31)
    until(lambda: device.clerk.entries()[id_].life.stopping == "overdue")
    until(lambda: device.said(id_) != "")
    device.clock.turn(1)  # the stop is asked for at a tick; from then on it counts
    next_ = device.send("diagnose", by="anna")
    device.until(next_, "waiting")
    device.clock.turn(LEAVE_S + 1)
    says = "snapshot did not stop within 30 s of being told to"
    assert device.until(id_, "failed").reason == says
    assert f"{id_}: {says}; restart the agent" in device.figures.troubles()
    device.clock.turn(1)
    until(lambda: (device.statuses(next_)[-1].why or device.statuses(next_)[0].why) is not None)
    assert "running" not in device.states(next_)
    host.let_go.set()
    until(lambda: not any("command snapshot" in thread.name for thread in threading.enumerate()))
    device.clock.turn(2)
    device.until(next_, "succeeded")
    assert device.states(id_)[-1] == "failed"
    assert device.figures.troubles() == []
    device.stop()


def test_what_runs_whenever_the_agent_ends_is_tried_three_times(tmp_path: Path) -> None:
    host = Stuck(tmp_path)
    first = Commanded(tmp_path, host=host)
    id_, payload = first.command("snapshot", by="anna")
    first.commands.hear("command", payload)
    for life in range(RESTARTS):
        host.asked.clear()
        device = first if life == 0 else Commanded(tmp_path, host=host)
        device.start()
        until(host.asked.is_set, 30)
        device.stop()
    last = Commanded(tmp_path, host=host).start()
    assert last.until(id_, "failed").reason.startswith("the agent began anew 3 times while it ran")
    assert host.times == RESTARTS
    last.stop()
    host.let_go.set()


def test_arguments_are_the_same_after_a_restart(tmp_path: Path) -> None:
    device = Commanded(tmp_path)
    now_ns = device.clock.now().utc_ns
    id_ = device.send("snapshot", by="anna", arguments={"lanes": ("in",)}, not_before=now_ns + HOUR // 2)
    device.start()
    device.until(id_, "waiting")
    device.stop()
    again = Commanded(tmp_path).start()
    again.clock.turn(1801)
    assert again.until(id_, "succeeded", "failed").state == "succeeded"
    again.stop()
