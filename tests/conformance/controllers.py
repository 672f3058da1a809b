"""The gate controllers that the kit is tried on: ours, one in JavaScript, and the reference with each of its breaks."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from platefleet.fleet.conformance.controller.plates import OWN
from platefleet.fleet.conformance.controller.run import Run
from platefleet.fleet.conformance.controller.site import Site
from platefleet.fleet.conformance.outcome import Outcome
from platefleet.fleet.conformance.pulses import PulseFile, PulseHttp
from platefleet.protocol.clock import SystemClock
from tests.conformance.reference_controller import Controller
from tests.conformance.trying import AGE_LIMIT_MS, STARTS_S, Ends, Program, platefleet
from tests.mosquitto import Mosquitto

CLOCK = SystemClock()
SCRIPT = Path(__file__).with_name("controller.mjs")
PACKAGES = ("mqtt@5", "@msgpack/msgpack@3")

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


def ours(mosquitto: Mosquitto, folder: Path, ends: Ends) -> list[Outcome]:
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
lanes = [{{ device = "conformance-1", lane = "lane-1", output = "barrier", age_limit_ms = {AGE_LIMIT_MS} }}]
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
        return Run(
            Site(mosquitto.broker, age_limit_ms=AGE_LIMIT_MS, wait_s=STARTS_S, restarts=restarts), pulses, clock=CLOCK
        ).run()
    finally:
        pulses.close()


def javascript(mosquitto: Mosquitto, folder: Path, ends: Ends) -> list[Outcome]:
    """Try `controller.mjs`, which keeps nothing on disk; skip where its packages cannot be had."""
    folder.mkdir()
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("node or npm is not installed: the JavaScript controller is not tried")
    (folder / "package.json").write_text('{"private": true}')
    fetch = [npm, "install", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts", *PACKAGES]
    if subprocess.run(fetch, cwd=folder, capture_output=True, check=False).returncode:
        pytest.skip("npm cannot fetch mqtt and @msgpack/msgpack here: the JavaScript controller is not tried")
    shutil.copy(SCRIPT, folder)
    (folder / "allowed").write_text("\n".join(OWN))
    site = Site(mosquitto.broker, "js-1", other_device="js-2", age_limit_ms=AGE_LIMIT_MS, wait_s=STARTS_S)
    pulses = PulseFile(folder / "pulses", clock=CLOCK)
    told = [f"mqtt://127.0.0.1:{mosquitto.port}", site.device, site.lane, "allowed", "pulses", str(AGE_LIMIT_MS)]
    argv = [node, "controller.mjs", *told]
    ends.append(Program(argv, folder).kill)
    return Run(site, pulses, clock=CLOCK).run()


def reference(mosquitto: Mosquitto, folder: Path, wrong: str, ends: Ends) -> list[Outcome]:
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
    restarts = {"controller": controller.restart}
    site = Site(mosquitto.broker, device, other_device=other, age_limit_ms=AGE_LIMIT_MS, restarts=restarts)
    return Run(site, pulses, clock=CLOCK).run()
