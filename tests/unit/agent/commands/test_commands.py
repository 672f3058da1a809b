"""A command on the device: heard once, carried out once, told at every change."""

from __future__ import annotations

from platefleet.models.operations import operations
from platefleet.models.operations.reading import result_of
from tests.commanded import Commanded


def test_a_signed_command_is_accepted_runs_and_its_result_is_told(device: Commanded) -> None:
    id_ = device.send("snapshot", arguments={"lanes": ("in",)}, by="anna")
    status = device.until(id_, "succeeded", "failed")
    assert device.states(id_)[0] == "accepted"
    assert [each.number for each in device.statuses(id_)] == list(range(1, len(device.statuses(id_)) + 1))
    assert status.operator == "anna"
    assert status.result is not None
    assert result_of(operations()["snapshot"], status.result).pictures == {"in": b"\xff\xd8in"}


def test_the_same_command_again_is_answered_with_the_same_status_and_not_done_again(device: Commanded) -> None:
    id_, payload = device.command("snapshot", by="anna")
    device.commands.hear("command", payload)
    last = device.until(id_, "succeeded")
    told = len(device.statuses(id_))
    device.clock.turn(2)
    device.commands.hear("command", payload)
    again = device.until(id_, "succeeded")
    while len(device.statuses(id_)) == told:
        device.until(id_, "succeeded")
    assert device.statuses(id_)[-1] == last == again
    assert device.states(id_).count("accepted") == 1


def test_what_nobody_trusted_signed_is_counted_and_neither_written_down_nor_answered(device: Commanded) -> None:
    id_ = device.send("snapshot", by="mallory")
    known = device.send("snapshot", by="anna")
    device.until(known, "succeeded")
    assert device.states(id_) == []
    assert device.journal.command(id_) is None
    assert device.figures.counts()["commands_refused_signature"] == 1


def test_arguments_that_do_not_fit_are_rejected_by_name(device: Commanded) -> None:
    id_ = device.send("snapshot", arguments={"most_bytes": 7}, by="anna")
    assert "most_bytes" in device.until(id_, "rejected").reason


def test_an_operation_that_this_release_does_not_know_is_rejected(device: Commanded) -> None:
    assert "no operation" in device.until(device.send("dance"), "rejected").reason
