"""The kit against gate controllers: ours and one in JavaScript pass, broken ones fail exactly where they are broken.

All of them are tried at the same time, because a run waits more than it works.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from platefleet.fleet.conformance.controller.plates import OWN
from platefleet.fleet.conformance.controller.points import names
from platefleet.fleet.conformance.controller.run import Run
from platefleet.fleet.conformance.controller.stage import Site
from platefleet.fleet.conformance.outcome import Outcome
from platefleet.fleet.conformance.pulses import PulseFile, PulseHttp
from platefleet.protocol.clock import SystemClock
from tests.conformance.reference_controller import Controller
from tests.conformance.trying import Program, a_broker, platefleet
from tests.mosquitto import Mosquitto

pytestmark = pytest.mark.broker
CLOCK = SystemClock()
HERE = Path(__file__).parent
PACKAGES = ("mqtt@5", "@msgpack/msgpack@3")
Results = dict[str, "Future[list[Outcome]]"]

BROKEN = {
    "acts on a final": ("final", {"final", "left"}),
    "opens for each revision": ("each revision", {"revisions"}),
    "adds no age of the device": ("no own age", {"late"}),
    "trusts the device's age alone": ("device's age", {"stalled-link", "no-beat", "foreign-beat", "retained"}),
    "opens for backfill": ("backfill", {"backfill"}),
    "dies of hostile bytes": ("dies", {"hostile"}),
    "opens for who leaves": ("receding", {"receding"}),
    "takes late for a verdict": ("late stands", {"afresh"}),
    "opens for what is not settled": ("unread", {"unread"}),
    "reads other versions": ("version", {"version"}),
    "checks no checksum": ("rotten", {"rotten"}),
    "opens for every lane": ("any lane", {"other-lane"}),
    "opens for every device": ("any device", {"other-device"}),
    "knows no car again": ("no same car", {"already-open"}),
    "sends beats too seldom": ("slow beats", {"beats"}),
    "forgets at a restart": ("forgets", {"controller-restart"}),
}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    """Everything that is tried, by name; each begins at once and is waited for by its own test."""
    folder = tmp_path_factory.mktemp("controllers")
    shared, own = a_broker(folder / "shared"), a_broker(folder / "own")
    ends: list[Callable[[], object]] = [shared.kill, own.kill]
    with ThreadPoolExecutor(len(BROKEN) + 4) as pool:
        results = {"ours": pool.submit(ours, own, folder / "ours", ends)}
        results["JavaScript"] = pool.submit(javascript, shared, folder / "javascript", ends)
        for name, wrong in [("right", ""), *((name, wrong) for name, (wrong, _) in BROKEN.items())]:
            results[name] = pool.submit(reference, shared, folder / name, wrong, ends)
        yield results
    for end in ends:
        end()


def ours(mosquitto: Mosquitto, folder: Path, ends: list[Callable[[], object]]) -> list[Outcome]:
    """Try `platefleet gate run`, with an output that asks the kit's URL, and with every restart."""
    folder.mkdir()
    pulses = PulseHttp(0, clock=CLOCK)
    (folder / "allow.csv").write_text("\n".join(["plate", *OWN, ""]))
    (folder / "gate.toml").write_text(f"""
name = "gate-1"
journal = "{folder}/gate.journal"
assume_synced = true
broker = {{ port = {mosquitto.port} }}
allow_list = {{ file = "{folder}/allow.csv" }}
lanes = [{{ device = "conformance-1", lane = "lane-1", output = "barrier" }}]
[outputs.barrier]
kind = "http"
url = "http://127.0.0.1:{pulses.port}/"
parameters = {{ plate = "plate" }}
""")
    program = Program(platefleet("gate", "run", "--config", "gate.toml"), folder)
    ends.append(program.kill)

    def restart_broker() -> None:
        mosquitto.kill()
        mosquitto.start()

    restarts = {"broker": restart_broker, "controller": program.restart}
    try:
        return Run(Site(mosquitto.broker, restarts=restarts), pulses, clock=CLOCK).run()
    finally:
        pulses.close()


def javascript(mosquitto: Mosquitto, folder: Path, ends: list[Callable[[], object]]) -> list[Outcome]:
    """Try `controller.mjs`, which keeps nothing on disk; skip where its packages cannot be had."""
    folder.mkdir()
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("node or npm is not installed: the JavaScript controller is not tried")
    (folder / "package.json").write_text('{"private": true}')
    fetch = [npm, "install", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts", *PACKAGES]
    if subprocess.run(fetch, cwd=folder, capture_output=True, check=False).returncode:
        pytest.skip("npm cannot fetch mqtt and @msgpack/msgpack here: the JavaScript controller is not tried")
    shutil.copy(HERE / "controller.mjs", folder)
    (folder / "allowed").write_text("\n".join(OWN))
    site = Site(mosquitto.broker, "js-1", other_device="js-2")
    pulses = PulseFile(folder / "pulses", clock=CLOCK)
    argv = [node, "controller.mjs", f"mqtt://127.0.0.1:{mosquitto.port}", site.device, site.lane, "allowed", "pulses"]
    ends.append(Program(argv, folder).kill)
    return Run(site, pulses, clock=CLOCK).run()


def reference(mosquitto: Mosquitto, folder: Path, wrong: str, ends: list[Callable[[], object]]) -> list[Outcome]:
    """Try the tests' own small controller, broken as `wrong` says."""
    folder.mkdir()
    name = folder.name.replace(" ", "-").replace("'", "")
    path = folder / "pulses"
    pulses = PulseFile(path, clock=CLOCK)
    writing = threading.Lock()

    def lift(plate: str) -> None:
        with writing, path.open("a") as file:
            file.write(f"{plate}\n")

    device, other = f"device-{name}", f"other-{name}"
    controller = Controller(mosquitto.broker, device, listed=frozenset(OWN), lift=lift, wrong=wrong)
    ends.append(controller.stop)
    site = Site(mosquitto.broker, device, other_device=other, restarts={"controller": controller.restart})
    return Run(site, pulses, clock=CLOCK).run()


def failed(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.point: outcome.reason for outcome in outcomes if outcome.status == "failed"}


def not_run(outcomes: list[Outcome]) -> set[str]:
    return {outcome.point for outcome in outcomes if outcome.status == "not run"}


def test_our_gate_passes_every_point_as_a_program_that_is_killed_and_whose_broker_is(tried: Results) -> None:
    outcomes = tried["ours"].result()
    assert failed(outcomes) == {}
    assert [(outcome.point, outcome.status) for outcome in outcomes] == [(name, "passed") for name in names()]


def test_a_controller_of_other_code_passes_and_what_was_not_tried_is_said(tried: Results) -> None:
    outcomes = tried["right"].result()
    assert failed(outcomes) == {}
    assert not_run(outcomes) == {"broker-restart"}


def test_a_controller_of_thirty_lines_of_javascript_written_from_the_documents_passes(tried: Results) -> None:
    outcomes = tried["JavaScript"].result()
    assert failed(outcomes) == {}
    assert not_run(outcomes) == {"broker-restart", "controller-restart", "retained"}
    lines = (HERE / "controller.mjs").read_text().splitlines()
    assert len([line for line in lines if line.strip() and not line.startswith("//")]) <= 36


@pytest.mark.parametrize("name", BROKEN)
def test_a_controller_that(name: str, tried: Results) -> None:
    assert set(failed(tried[name].result())) == BROKEN[name][1]
