"""A cancel at every moment of a command's life: before it came, while it waits or runs, too late, and after its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from platefleet.models.artifacts.activation import activated, confirmed
from platefleet.protocol.commands.holds import Hours
from tests.commanded import Commanded, new_id
from tests.painted_models import as_artifact, painted_model
from tests.until import until

CLOSED = Hours(False, says="the window never opens; give it hours with set-window")
BUILD = {"role": "plate", "format": "onnx"}


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Commanded]:
    """A device whose window is closed."""
    device = Commanded(tmp_path)
    device.how = replace(device.how, hours=CLOSED)
    device.start()
    yield device
    device.stop()


def test_before_it_came_it_arrives_cancelled(device: Commanded) -> None:
    id_, payload = device.command("snapshot", by="anna")
    device.commands.hear("command", device.cancel(id_, by="anna"))
    device.commands.hear("command", payload)
    assert device.until(id_, "cancelled").reason == "it was cancelled by anna before it came"
    assert device.states(id_) == ["cancelled"]


def test_before_it_came_by_somebody_who_may_not_it_is_done_all_the_same(device: Commanded) -> None:
    id_, payload = device.command("restart")
    device.commands.hear("command", device.cancel(id_, by="anna"))
    device.commands.hear("command", payload)
    until(lambda: device.host.anew == 1)
    assert "cancelled" not in device.states(id_)


def test_of_a_command_that_never_comes_it_is_counted(device: Commanded) -> None:
    device.commands.hear("command", device.cancel(new_id()))
    until(lambda: device.figures.counts().get("commands_cancelled_first") == 1)


def test_while_it_waits_it_ends_at_once(closed: Commanded) -> None:
    id_ = closed.send("build", arguments=BUILD)
    closed.until(id_, "waiting")
    closed.commands.hear("command", closed.cancel(id_))
    closed.until(id_, "cancelled")
    assert closed.states(id_) == ["accepted", "waiting", "cancelled"]


def test_by_an_operator_of_what_takes_an_administrator_it_is_refused_once(closed: Commanded) -> None:
    id_ = closed.send("build", arguments=BUILD)
    closed.until(id_, "waiting")
    cancel = closed.cancel(id_, by="anna")
    closed.commands.hear("command", cancel)
    said = "cancel refused: anna may not cancel it"
    until(lambda: closed.said(id_) == said)
    number = closed.statuses(id_)[-1].number
    closed.clock.turn(2)
    told = len(closed.statuses(id_))
    closed.commands.hear("command", cancel)
    until(lambda: len(closed.statuses(id_)) > told)
    assert closed.statuses(id_)[-1].number == number
    assert closed.statuses(id_)[-1].state == "waiting"


def test_while_it_runs_what_it_did_is_undone(device: Commanded) -> None:
    store = device.host.store
    model = painted_model(device.folder / "painted.onnx", 2, "license_plate")
    first, other = (as_artifact(store, "plate", model, opset=opset) for opset in (17, 18))
    store.choose("plate", lambda _: activated(None, first))
    id_ = device.send("activate", arguments={"role": "plate", "key": other.key}, builds_on=0)
    until(lambda: [status.step for status in device.statuses(id_)][-1:] == ["on trial"], 30)
    until(lambda: store.active("plate") == activated(activated(None, first), other))  # the step is told before it
    device.commands.hear("command", device.cancel(id_))
    device.until(id_, "cancelled")
    now = store.active("plate")
    assert now is not None
    assert (now.key, now.confirmed) == (first.key, True)


def test_of_a_trial_that_was_confirmed_meanwhile_it_comes_too_late_and_the_status_says_what_serves(
    device: Commanded,
) -> None:
    store = device.host.store
    model = painted_model(device.folder / "painted.onnx", 2, "license_plate")
    first, other = (as_artifact(store, "plate", model, opset=opset) for opset in (17, 18))
    store.choose("plate", lambda _: activated(None, first))
    id_ = device.send("activate", arguments={"role": "plate", "key": other.key}, builds_on=0)
    until(lambda: [status.step for status in device.statuses(id_)][-1:] == ["on trial"], 30)
    with store.locked():  # the trial cannot look before both have happened
        device.commands.hear("command", device.cancel(id_))
        until(lambda: device.clerk.entries()[id_].life.stopping == "cancelled")
    store.choose("plate", lambda now: confirmed(now, other.key) if now and now.key == other.key else now)  # type: ignore[arg-type, return-value]
    ended = device.until(id_, "cancelled", "succeeded")
    now = store.active("plate")
    assert now is not None
    assert (ended.state == "succeeded") == (now.key == other.key)


def test_past_the_point_of_no_return_it_is_refused_naming_the_step(device: Commanded) -> None:
    id_ = device.send("restart")
    until(lambda: device.host.anew == 1)
    device.commands.hear("command", device.cancel(id_))
    said = "cancel refused: restarting cannot be undone any more"
    until(lambda: device.said(id_) == said)
    assert device.statuses(id_)[-1].state == "running"


def test_of_what_is_over_it_is_answered_with_how_that_ended(device: Commanded) -> None:
    id_ = device.send("snapshot", by="anna")
    last = device.until(id_, "succeeded")
    told = len(device.statuses(id_))
    device.clock.turn(2)
    device.commands.hear("command", device.cancel(id_, by="anna"))
    until(lambda: len(device.statuses(id_)) == told + 1)
    assert device.statuses(id_)[-1] == last


def test_before_the_clock_is_good_it_is_remembered_for_a_command_that_has_not_come(device: Commanded) -> None:
    device.clock_good = False
    id_ = new_id()
    device.commands.hear("command", device.cancel(id_))
    until(lambda: device.journal.cancelled_first(id_) is not None)


def test_a_cancel_by_an_operator_takes_nothing_from_one_by_an_administrator(device: Commanded) -> None:
    id_, _ = device.command("build", arguments={"role": "plate"})
    device.commands.hear("command", device.cancel(id_, by="ada"))
    until(lambda: device.journal.cancelled_first(id_) is not None)
    device.commands.hear("command", device.cancel(id_, by="anna"))
    device.until(device.send("snapshot", by="anna"), "succeeded")
    found = device.journal.cancelled_first(id_)
    assert found is not None
    assert found.name == "ada"
