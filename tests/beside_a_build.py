"""A barrier's frame rate before, during and after a build beside it; `tests.while_building` runs it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from statistics import mean
from typing import Any

import psutil
from rich.console import Console

from platefleet.agent.assemble import assemble
from platefleet.agent.lane import Worked
from platefleet.agent.settings.tree import Settings
from platefleet.deploy.demo.run import FPS, rendered_clip
from platefleet.deploy.demo.scene import demo_scene
from platefleet.deploy.interrupts import Interrupts
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.weights import Materials, materials
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.messages import Command, CommandStatus
from tests.artifact_stores import models_of, photo_folder
from tests.command_site import commanded
from tests.commanded import HOUR, new_id
from tests.trust_builders import a_trust, ordered, told, trusted

DEVICE = "gate-north"
STRETCH_S = 5.0
MOST_S = 1800.0


class Watched:
    """Counts frames, and looks at the agent's children."""

    def __init__(self) -> None:
        self.frames, self.car_s, self.looked = 0, 0.0, list[tuple[bool, bool]]()
        """looked: twice a second while there is a build: whether a car was there lately, whether the build stood."""
        self.rates: list[tuple[str, float]] = []
        self.per_cpu_s: list[tuple[str, float]] = []
        """Frames for each second of processor that the agent got: what others on the machine take is not in it."""
        self.builds_share: list[float] = []
        """Processor seconds of the build for each of the agent's."""

    def watch(self, worked: Worked) -> None:
        self.frames += 1
        if worked.effects:
            self.car_s = time.monotonic()

    def stretch(self, name: str) -> None:
        """Note the frame rate of the next five seconds."""
        begin, count, cpu_s, build_s = time.monotonic(), self.frames, time.process_time(), _build_s()
        while time.monotonic() - begin < STRETCH_S:
            time.sleep(0.5)
            states = [_status(each) for each in psutil.Process().children() if _nice(each) == 19]
            if states:
                self.looked.append((time.monotonic() - self.car_s < 15, psutil.STATUS_STOPPED in states))
        cpu_s = time.process_time() - cpu_s
        self.per_cpu_s.append((name, (self.frames - count) / cpu_s))
        if name == "during":
            self.builds_share.append(max(0.0, _build_s() - build_s) / cpu_s)
        self.rates.append((name, (self.frames - count) / (time.monotonic() - begin)))
        print(f"  {name:8} {self.rates[-1][1]:5.2f} frames/s   load {os.getloadavg()[0]:.1f}", flush=True)


def _build_s() -> float:
    """Return the processor seconds of the build's process, 0 where there is none."""
    total = 0.0
    for each in psutil.Process().children():
        if _nice(each) == 19:
            with contextlib.suppress(psutil.Error):
                total += sum(each.cpu_times()[:2])
    return total


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.Error:
        return ""


def _nice(process: psutil.Process) -> int:
    try:
        return int(process.nice())
    except psutil.Error:
        return 0


def settings_of(root: Path, kept: Materials, quiet_s: int) -> Settings:
    """The demo's lane in a loop, a store with the plate model's source, and a window that is always open."""
    store = ArtifactStore(root / "store")
    store.add_source("plate", kept.plate)
    calibration = photo_folder(kept.photos[:3], root / "calibration")
    evaluation = photo_folder(kept.photos[3:], root / "evaluation")
    scene = demo_scene(1, FPS)
    window: dict[str, Any] = {"spans": [{"start": "00:00", "end": "00:00"}], "quiet_s": quiet_s}
    camera = {
        "kind": "file",
        "path": str(rendered_clip(scene, 1, kept, Console(), Interrupts())),
        "every_frame": True,
        "loop": True,
    }
    return Settings.model_validate(
        {
            "device": DEVICE,
            "broker": {"host": "127.0.0.1", "port": 1, "probe": False},
            "lanes": [{"name": "entry", "camera": {**camera, "real_time": False}}],
            "models": models_of(kept, store),
            "outbox": {"file": "outbox"},
            **commanded(root, evaluation=str(evaluation), calibration=str(calibration), window=window, rules=["retry"]),
        },
        context={"folder": root},
    )


def measure(root: Path, *, quiet_s: int, before_s: float) -> None:
    """Run the agent, order the build, print the rates."""
    watched, clock = Watched(), SystemClock()
    agent = assemble(settings_of(root, materials(photos=True), quiet_s), observers=[watched.watch])
    parts = None if agent._commands is None else agent._commands._parts
    assert parts is not None
    agent.start()
    try:
        now_ns = clock.now().utc_ns
        ada = trusted("ada", role="administrator", since=0, until=now_ns + 100 * HOUR)
        parts.commands.hear("trust", told(a_trust(1, ada, issued=now_ns)))
        while watched.frames < 3:
            time.sleep(0.1)
        for _ in range(round(before_s / STRETCH_S)):
            watched.stretch("before")
        id_ = new_id()
        arguments = {"role": "plate", "format": "onnx", "precision": "int8"}
        now_ns = clock.now().utc_ns
        said = {"device": DEVICE, "install": parts.journal.install, "issued_at": now_ns, "not_after": now_ns + HOUR}
        build = Command(id=id_, operation="build", arguments=arguments, **said)  # type: ignore[arg-type]  # plain values
        parts.commands.hear("command", ordered("ada", encode(build)))
        began = time.monotonic()
        while True:
            watched.stretch("during")
            written = parts.clerk.written(id_)
            if (written is not None and written.life.over) or time.monotonic() - began > MOST_S:
                break
        took_s = time.monotonic() - began
        for _ in range(round(before_s / STRETCH_S)):
            watched.stretch("after")
        print("what was told of the build:")
        for body in parts.journal.statuses(id_):
            status = decode(CommandStatus, body)
            why = "" if status.why is None else f"{status.why.hold}: {status.why.says}"
            print(f"  {status.number:2} {status.state:9} {status.step or '':10} {why}{status.reason}"[:160])
    finally:
        agent.stop()
    report(watched, took_s)


def report(watched: Watched, took_s: float) -> None:
    """Print the figures."""
    by = {name: [rate for each, rate in watched.rates if each == name] for name in ("before", "during", "after")}
    normal = mean([*by["before"], *by["after"]])
    print(f"normal (before and after): {normal:.2f} frames/s; the build took {took_s:.0f} s")
    print(
        f"during: {mean(by['during']):.2f} frames/s, {mean(by['during']) / normal:.0%} of normal, "
        f"the worst five seconds {min(by['during']) / normal:.0%} (without a build: "
        f"{min([*by['before'], *by['after']]) / normal:.0%})"
    )
    cost = {name: mean(each for of, each in watched.per_cpu_s if of == name) for name in by}
    said = ", ".join(f"{name} {each:.2f}" for name, each in cost.items())
    print(f"frames for a second of processor that the agent got: {said}")
    print(f"the build got {mean(watched.builds_share):.1%} of what the agent got")
    for car, name in ((True, "a car within 15 s"), (False, "no car")):
        stood = [still for there, still in watched.looked if there is car]
        if stood:
            print(f"{name}: the build's process stood still in {sum(stood)} of {len(stood)} looks")
