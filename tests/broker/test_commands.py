"""An operator's command over the real broker: signed, sent, carried out by an agent that reads meanwhile, told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from platefleet.fleet.console.desiring import drift
from platefleet.fleet.console.known import known_of
from platefleet.models.artifacts.activation import activated
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.protocol.delivery.outbox import MemoryOutbox
from platefleet.protocol.messages.desired import Reported
from tests.command_site import DEVICE, Operators, commanded
from tests.mosquitto import Mosquitto
from tests.painted_lane import a_camera, a_visit, an_agent, folder_of, plates, settings_of
from tests.painted_models import as_artifact, painted_model
from tests.switched_agent import Site, a_store, short_visits
from tests.until import until

pytestmark = pytest.mark.broker


@pytest.fixture
def operators(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Operators]:
    operators = Operators(tmp_path, mosquitto)
    operators.start()
    yield operators
    operators.stop()


@pytest.fixture
def agent(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[None]:
    frames = folder_of(a_visit(), tmp_path / "frames")
    agent, _ = an_agent(settings_of(a_camera(frames, loop=True), **commanded(tmp_path)), broker=mosquitto.broker)
    agent.start()
    yield
    agent.stop()


@pytest.mark.usefixtures("agent")
def test_a_command_written_by_an_operator_comes_back_with_its_result(operators: Operators) -> None:
    id_ = operators.send("snapshot")
    assert operators.done(id_).pictures["entry"].startswith(b"\xff\xd8")
    assert operators.asked.statuses(id_)[0][1].state == "accepted"


@pytest.mark.usefixtures("agent")
def test_a_command_sent_while_the_broker_is_away_is_done_when_it_is_back(
    operators: Operators, mosquitto: Mosquitto
) -> None:
    operators.device()
    mosquitto.kill()
    id_ = operators.send("diagnose")
    time.sleep(0.2)
    assert operators.state(id_) == "pending"
    mosquitto.start()
    operators.done(id_)


def test_a_rebuild_a_switch_and_a_benchmark_are_done_while_cars_are_read(
    operators: Operators, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    store, first = a_store(tmp_path / "store")
    source = painted_model(tmp_path / "source.onnx", 2, "license_plate")
    digest = store.add_source("plate", source)
    better = as_artifact(store, "plate", painted_model(tmp_path / "better.onnx", 2, "license_plate", confidence=0.91))
    evaluation = folder_of(short_visits(), tmp_path / "evaluation")
    folder_of(a_visit(), tmp_path / "lane")
    outbox = MemoryOutbox(clock=operators.clock)
    more = {**commanded(tmp_path, evaluation=str(evaluation), frame_share=0.0), "models": {"store": str(store.root)}}
    looks: list[object] = []
    with Site(store, tmp_path / "lane", more=more, broker=mosquitto.broker, outbox=outbox, observers=(looks.append,)):
        arguments = {"role": "plate", "format": "onnx", "precision": "fp32", "size": 160, "source": digest[:16]}
        built = operators.done(operators.send("build", arguments={**arguments, "anyhow": True}))
        assert built.passport["recipe"]["source"] == digest
        switched = operators.done(operators.send("activate", arguments={"role": "plate", "key": better.key}))
        assert switched.confirmed
        benchmark = operators.done(
            operators.send("benchmark", arguments={"role": "plate", "rounds": 5, "anyhow": True})
        )
        assert any(row["key"] == built.passport["key"] and "recall" in row["accuracy"] for row in benchmark.rows)
        back = operators.done(operators.send("rollback", arguments={"role": "plate"}))
        assert (back.key, back.given_up) == (first.key, better.key)
        seen = len(looks)
        until(lambda: len(looks) > seen + 20, 60)  # it reads on; a car that comes every second is one pass or many
        assert plates(outbox)
    active = ArtifactStore(store.root).active("plate")
    assert active is not None
    assert active.key == first.key


@pytest.mark.usefixtures("agent")
def test_a_desired_window_is_taken_kept_at_the_broker_and_not_undone_by_an_older_one(
    operators: Operators, mosquitto: Mosquitto
) -> None:
    desired = operators.desire("window.spans=23:00-04:30", "window.zone=Europe/Berlin")
    taken = until(lambda: reported_at(operators, desired.choices), 60)
    assert taken.window == desired.window
    mosquitto.kill()  # holds nothing on disk: what it knows afterwards, the console told it again
    mosquitto.start()
    chosen = operators.send("set-window", arguments={"zone": "UTC", "spans": ("01:00-02:00",)})
    operators.done(chosen)
    until(lambda: reported_at(operators, desired.choices + 1), 60)
    now = reported_at(operators, desired.choices + 1)
    assert now is not None
    assert now.window is not None
    assert now.window.zone == "UTC"
    row = operators.asked.device(DEVICE)
    assert [each.partition(":")[0] for each in drift(desired, known_of(row))] == ["window"]  # type: ignore[arg-type]


def test_a_desired_artifact_is_activated_by_the_devices_own_command_and_a_change_by_hand_is_drift(
    operators: Operators, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    store, first = a_store(tmp_path / "store")
    better = as_artifact(store, "plate", painted_model(tmp_path / "better.onnx", 2, "license_plate", confidence=0.91))
    more = {**commanded(tmp_path), "models": {"store": str(store.root)}}
    with Site(store, tmp_path / "lane", more=more, broker=mosquitto.broker):
        desired = operators.desire(f"active.plate={better.key}")

        def own() -> bool:
            rows = operators.asked.history(device_=DEVICE)
            return any(
                (row.operation, row.operator, row.state) == ("activate", "desired:ada", "succeeded") for row in rows
            )

        until(own, 120)
        until(lambda: not list(drift(desired, operators.device())), 60)
        store.choose("plate", lambda now: activated(now, first))  # what `platefleet models activate` does
        (said,) = until(lambda: [each for each in drift(desired, operators.device()) if first.key[:8] in each], 60)
        assert said.startswith(f"plate: {better.key[:8]} is desired, {first.key[:8]} is active")


def reported_at(operators: Operators, choices: int) -> Reported | None:
    """Return what the device reports once it is at this version."""
    info = operators.device().info
    reported = None if info is None else info.reported
    return reported if reported is not None and reported.choices >= choices else None
