"""Shows a rebuild, a switch of precision and a benchmark, each sent from the console, while the demo's clip is read.

    python -m tests.commanded_demo [onnx | tensorrt]

Everything is real: Mosquitto, console, ingest and store, the pinned models, a build in a child (INT8 on the CPU, FP16
by TensorRT on a GPU), its evaluation against the ONNX as it came, its trial on the lane. In the end every car of the
clip that was shown meanwhile has to have its pass in the store.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console as Terminal

from platefleet.agent.assemble import assemble
from platefleet.agent.lane import Worked
from platefleet.agent.run import Agent
from platefleet.agent.settings.tree import Settings
from platefleet.deploy.demo import ledger
from platefleet.deploy.demo.run import FPS, _ingest, _shown, rendered_clip
from platefleet.deploy.demo.scene import Scene, demo_scene
from platefleet.deploy.demo.verdict import Match, Shown, pair
from platefleet.deploy.interrupts import Interrupts
from platefleet.models.artifacts.activation import activated
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.passport import Recipe
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.build.run import Order, build
from platefleet.models.operations import operations
from platefleet.models.operations.reading import result_of
from platefleet.models.weights import Materials, materials
from platefleet.protocol.clock import SECOND_NS
from tests.artifact_stores import models_of, photo_folder
from tests.command_site import DEVICE, OVER, Operators, commanded
from tests.mosquitto import Mosquitto, Options
from tests.prerequisites import broker as installed
from tests.until import until

TRIAL = {"shadow_every": 2, "shadow_frames": 5, "visits": 5, "reference": 3, "slower": 1000.0}
"""Short: a clip of a few minutes has few cars."""
SMALLER: dict[str, dict[str, Any]] = {
    "onnx": {"format": "onnx", "precision": "int8"},
    "tensorrt": {"format": "tensorrt", "precision": "fp16", "level": 0},
}
LONG_S = 900.0
SETTLED_FRAMES = 12
"""So long after a car has left its pass is closed."""


class Onlooker:
    """Notes when each frame was worked through, by its number."""

    def __init__(self) -> None:
        self.times_ns: dict[int, int] = {}

    def watch(self, worked: Worked) -> None:
        self.times_ns[len(self.times_ns) + 1] = worked.look.at.mono_ns + worked.picture.lag_ns


def furnished(root: Path, kept: Materials) -> ArtifactStore:
    """Return a store in which the plate model as it came is an artifact, and serves."""
    store = ArtifactStore(root / "store")
    source = store.add_source("plate", kept.plate)
    recipe = Recipe(role="plate", source=source, format="onnx", precision="fp32", size=416, batch=None)
    baseline = build(store, Order(recipe), machine=machine())
    store.choose("plate", lambda now: activated(now, baseline))
    return store


def agent_of(root: Path, kept: Materials, scene: Scene, mosquitto: Mosquitto, onlooker: Onlooker) -> Agent:
    store = furnished(root, kept)
    evaluation = photo_folder(kept.photos[3:], root / "evaluation")
    calibration = photo_folder(kept.photos[:3], root / "calibration")
    camera: dict[str, Any] = {
        "kind": "file",
        "path": str(rendered_clip(scene, 1, kept, Terminal(), Interrupts())),
        "every_frame": True,
    }
    settings = {
        "device": DEVICE,
        "broker": {"host": "127.0.0.1", "port": mosquitto.port, "probe": False},
        "lanes": [{"name": "lane-1", "camera": {**camera, "loop": True}}],
        "models": models_of(kept, store),
        "outbox": {"file": "outbox"},
        "trial": TRIAL,
        **commanded(root, evaluation=str(evaluation), calibration=str(calibration), rules=["retry"]),
    }
    return assemble(Settings.model_validate(settings, context={"folder": root}), observers=[onlooker.watch])


def ordered(operators: Operators, operation: str, arguments: dict[str, Any]) -> Any:
    """Send a command from the console, print what comes back, return its result."""
    began = time.monotonic()
    id_ = operators.send(operation, arguments=arguments)
    until(lambda: operators.state(id_) in OVER, LONG_S, every_s=0.2)
    print(f"\n{operation} {json.dumps(arguments)}: {time.monotonic() - began:.0f} s")
    for _, status in operators.asked.statuses(id_):
        why = "" if status.why is None else f"{status.why.hold}: {status.why.says}"
        print(f"  {status.number:2} {status.state:10} {status.step or '':10} {why or status.reason}"[:150])
    last = operators.last(id_)
    assert last.state == "succeeded", last.reason
    assert last.result is not None
    result = result_of(operations()[operation], last.result)
    print("\n".join(f"  {line}" for line in operations()[operation].lines(result)))
    print(f"  the last status carries a result of {len(last.result)} bytes")
    return result


def judged(scene: Scene, times: Mapping[int, int], database: Path) -> list[str]:
    """Return what is wrong with the passes; print each car."""
    count = len(scene.frames)
    cars: list[Shown] = []
    leaving: set[str] = set()
    for loop in range(-(-len(times) // count)):
        mine = {n - loop * count: at for n, at in times.items() if loop * count < n <= (loop + 1) * count}
        for number, car in enumerate(_shown(scene, mine)):
            first, last = (frame + loop * count for frame in scene.shown(number))
            name = f"{car.name} ({loop + 1})"
            if first < len(times):
                cars.append(Shown(name, car.plate, car.first_s, car.last_s))
            if last + SETTLED_FRAMES > len(times):
                leaving.add(name)
    passes = list(ledger.read(database).passes)
    matches: list[Match] = [m for m in pair(cars, passes) if m.car is None or m.car.name not in leaving]
    for match in matches:
        car, told = match.car, match.told
        text = "no pass" if told is None else told.text or f"unread: {told.unread}"
        print(f"  {car.name if car else 'no car':18} {(car.plate if car else None) or '-':10} {text}")
    right = sum(bool(m.car and m.told and m.told.text and m.told.text == m.car.plate) for m in matches)
    readable = sum(bool(m.car and m.car.plate) for m in matches)
    print(
        f"{len(matches)} cars came and went in {len(times)} frames; {sum(bool(m.told) for m in matches)} passes of them"
    )
    print(f"{right} of {readable} plates were read right")
    return [
        f"{match.car.name if match.car else match.told}: a car and a pass for each, and this has no partner"
        for match in matches
        if match.car is None or match.told is None
    ]


def show(root: Path, format_: str) -> list[str]:
    program = installed()
    assert program is not None, "mosquitto is not installed"
    kept, scene, onlooker = materials(photos=True), demo_scene(1, FPS), Onlooker()
    with ExitStack() as owned:
        folder = root / "mosquitto"
        folder.mkdir()
        mosquitto = Mosquitto(program, folder, Options())
        mosquitto.start()
        owned.callback(mosquitto.stop)
        _ingest(owned, mosquitto.broker, root / "store.db")
        operators = Operators(root, mosquitto)
        operators.start()
        owned.callback(operators.stop)
        agent = agent_of(root, kept, scene, mosquitto, onlooker)
        agent.start()
        owned.callback(agent.stop)
        until(lambda: len(onlooker.times_ns) > 3, LONG_S)
        active = ArtifactStore(root / "store").active("plate")
        assert active is not None
        ordered(operators, "evaluate", {"role": "plate", "key": active.key, "anyhow": True})
        built = ordered(operators, "build", {"role": "plate", **SMALLER[format_], "anyhow": True})
        verdict = built.passport["verdict"]
        print(f"  verdict: {verdict['judged']}: {verdict['reason']}")
        assert verdict["judged"] in {"accepted", "undecided", "rejected"}
        chosen = {"role": "plate", "key": built.passport["key"][:12], "undecided": verdict["judged"] == "undecided"}
        switched = ordered(operators, "activate", chosen)
        assert switched.confirmed
        rows = ordered(operators, "benchmark", {"role": "plate", "rounds": 5, "anyhow": True}).rows
        for row in rows:
            print(f"  {row['name']}: accuracy {json.dumps(row['accuracy'])[:160]}")
        assert all("recall" in row["accuracy"] for row in rows)
        agent.uplink.wait_covered(30)
        appended = agent.uplink.stats.appended
        times = dict(onlooker.times_ns)
    span_s = (max(times.values()) - min(times.values())) / SECOND_NS
    print(f"\nthe lane meanwhile ({len(times)} frames in {span_s:.0f} s; {appended} records appended):")
    return judged(scene, times, root / "store.db")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("format", nargs="?", choices=SMALLER, default="onnx", help="What is built and switched to.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong = show(Path(folder), options.format)
    print("\n".join(f"wrong: {each}" for each in wrong) or "nothing was wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
