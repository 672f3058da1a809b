"""The demo put together: clip, broker, ingest, gate and agent, each the real one, in one process on one machine."""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from rich.console import Console

from platefleet.agent.assemble import assemble
from platefleet.agent.lane import Worked
from platefleet.agent.passes.types import Portrait
from platefleet.agent.run import Agent
from platefleet.agent.settings.tree import Settings
from platefleet.deploy.demo import ledger, show
from platefleet.deploy.demo.broker import HOST, EmbeddedBroker
from platefleet.deploy.demo.clip import by_name, render, write
from platefleet.deploy.demo.scene import Scene, demo_scene
from platefleet.deploy.demo.verdict import Match, Shown, faults, pair
from platefleet.deploy.interrupts import Interrupts
from platefleet.fleet.gate.controller import Gate
from platefleet.fleet.gate.lane_settings import LaneSettings
from platefleet.fleet.gate.outputs.base import Call, Order
from platefleet.fleet.gate.settings import AllowListSettings, GateSettings, PrintOutput
from platefleet.fleet.ingest.worker import Ingest, ingest_session
from platefleet.fleet.store.opening import open_store
from platefleet.models.annotate import annotated
from platefleet.models.detections import Frame
from platefleet.models.fetching import cache_folder
from platefleet.models.weights import Materials, materials
from platefleet.protocol.clock import SECOND_NS, SystemClock
from platefleet.protocol.errors import StoreError
from platefleet.protocol.messages import Decision
from platefleet.protocol.session import Broker, Session

DEVICE, LANE, GATE, SLOT = "demo-north", "lane-1", "demo-gate", "demo"
FPS = 10.0
SETTLE_S = 20.0
"""How long the store gets to commit what is left when the clip is over."""
LET_IN = 2
"""Every so many-th plate of the clip is not on the allow-list."""


@dataclass(frozen=True, slots=True)
class Options:
    """out: folder for pictures and the store; seed: of the clip."""

    out: Path
    seed: int = 1


@dataclass
class Watched:
    """What an onlooker notes: when each frame was worked through, milliseconds per stage, each pass's best picture."""

    times_ns: dict[int, int] = field(default_factory=dict)
    stages_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    portraits: dict[str, Frame] = field(default_factory=dict)


def run(options: Options, console: Console, interrupts: Interrupts) -> int:
    """Show the demo until its clip is over; return the exit status. Raises PlatefleetError.

    KeyboardInterrupt at any point, also one of `interrupts`, stops everything in order, within two seconds.
    """
    _emptied(options.out)

    def progress(line: str) -> None:
        interrupts.check()
        console.print(line, style="dim", markup=False)

    kept = materials(photos=True, progress=progress)
    scene = demo_scene(options.seed, FPS)
    with tempfile.TemporaryDirectory(prefix="platefleet-demo-") as scratch, ExitStack() as owned:
        video = rendered_clip(scene, options.seed, kept, console, interrupts)
        count = len(scene.frames)
        console.print(f"{count} frames with {len(scene.cars)} cars; the real models look at every one", style="dim")
        broker = owned.enter_context(EmbeddedBroker())
        where = Broker(HOST, broker.port)
        database = options.out / "store.db"
        _ingest(owned, where, database)
        gate = _gate(owned, where, scene, Path(scratch))
        watched = Watched()
        agent = _agent(video, where, kept, scratch=Path(scratch), console=console, watched=watched)
        owned.callback(agent.stop, 1.5)
        threading.Thread(target=_print_decisions, args=(gate, console), name="demo decisions", daemon=True).start()
        agent.start()
        console.print(f"broker on {HOST}:{broker.port}, store {database}, gate {GATE}: cars are coming", style="dim")
        while not agent.wait_over(0.1):
            interrupts.check()
        deadline = time.monotonic() + SETTLE_S
        for covered in (agent.uplink.wait_covered, gate.committed):
            while not covered(0.1) and time.monotonic() < deadline:
                interrupts.check()
        appended = agent.uplink.stats.appended
        agent.stop(1.5)
    return _judged(scene, watched, database, appended=appended, console=console, options=options)


def rendered_clip(scene: Scene, seed: int, kept: Materials, console: Console, interrupts: Interrupts) -> Path:
    """Return the rendered clip, made once and kept in the user's cache until the code that draws it changes."""
    drawn_by = [Path(__file__).with_name(name) for name in ("cars.py", "clip.py", "scene.py", "sprites.py")]
    version = sha256(b"".join(path.read_bytes() for path in drawn_by)).hexdigest()[:12]
    video = cache_folder() / "clips" / f"demo-{seed}-{version}.avi"
    if not video.exists():
        console.print("rendering the clip", style="dim")
        video.parent.mkdir(parents=True, exist_ok=True)
        part = video.with_name(f".{os.getpid()}-{video.name}")
        try:
            write(part, render(scene, by_name(kept.photos), interrupts), FPS)
            part.replace(video)
        finally:
            part.unlink(missing_ok=True)
    return video


def _emptied(out: Path) -> None:
    """Empty the folder of an earlier demo. Raises StoreError if it cannot be written or holds something else."""
    try:
        if out.exists() and any(out.iterdir()) and not (out / ".platefleet-demo").exists():
            raise StoreError(f"{out}: is not empty and no earlier demo's; name another folder with --out")
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        (out / ".platefleet-demo").touch()
    except OSError as error:
        raise StoreError(f"{out}: cannot be written ({error.strerror}); name another folder with --out") from error


def _ingest(owned: ExitStack, where: Broker, database: Path) -> None:
    clock = SystemClock()
    store = open_store(f"sqlite:///{database}", clock=clock)
    owned.callback(store.close)
    ingest = Ingest(ingest_session("demo-ingest", where, SLOT, store, clock=clock), store, clock=clock)
    ingest.start()
    owned.callback(ingest.stop)


def _gate(owned: ExitStack, where: Broker, scene: Scene, scratch: Path) -> Gate:
    """Return a gate that lets some of the clip's cars in."""
    plates = list(dict.fromkeys(car.plate for car in scene.cars if car.plate))
    allow = scratch / "allow.csv"
    with allow.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["plate", "valid_from", "valid_until", "weekdays", "name"])
        rows.writerows([plate, "", "", "", "resident"] for n, plate in enumerate(plates) if n % LET_IN == 0)
    settings = GateSettings(
        name=GATE,
        journal=scratch / "gate.journal",
        allow_list=AllowListSettings(file=allow),
        lanes=[LaneSettings(device=DEVICE, lane=LANE, output="barrier")],
        outputs={"barrier": PrintOutput(kind="print")},
        assume_synced=True,
    )
    return owned.enter_context(
        Gate(Session(GATE, where, clock=SystemClock()), settings, outputs={"barrier": Call(_lift)})
    )


def _lift(order: Order) -> None:
    """Lift the demo's barrier: there is nothing to move, and the decision is printed anyway."""


def _agent(video: Path, where: Broker, kept: Materials, *, scratch: Path, console: Console, watched: Watched) -> Agent:
    settings = Settings.model_validate(
        {
            "device": DEVICE,
            "broker": {"host": where.host, "port": where.port, "probe": False},
            "lanes": [{"name": LANE, "camera": {"kind": "file", "path": str(video), "every_frame": True}}],
            "models": {"vehicle": str(kept.vehicle), "plate": str(kept.plate), "reader": str(kept.reader)},
            "clock": {"assume_synced": True},
            "outbox": {"file": "outbox"},
        },
        context={"folder": scratch},
    )

    def watch(worked: Worked) -> None:
        watched.times_ns[worked.picture.number] = worked.look.at.mono_ns + worked.picture.lag_ns
        for stage, ms in worked.ms.items():
            watched.stages_ms[stage].append(ms)
        for effect in worked.effects:
            if isinstance(effect, Portrait):
                watched.portraits[effect.pass_id] = annotated(
                    worked.picture.frame, worked.sighting, _class_names(worked)
                )

    return assemble(settings, observers=[watch], said=lambda event: console.print(show.of_event(event)))


def _class_names(worked: Worked) -> tuple[str, ...]:
    """Return the names of the classes in a sighting, each at its number."""
    named = dict(zip(worked.sighting.vehicles.classes.tolist(), (v.name for v in worked.look.vehicles), strict=True))
    return tuple(named.get(number, "") for number in range(max(named, default=-1) + 1))


def _print_decisions(gate: Gate, console: Console) -> None:
    for decision in gate.decisions():
        if _is_news(decision):
            console.print(show.of_decision(decision))


def _is_news(decision: Decision) -> bool:
    return decision.phase != "intent"


def _judged(
    scene: Scene, watched: Watched, database: Path, *, appended: int, console: Console, options: Options
) -> int:
    """Print what came of it; 0 if every car has its one pass and nothing was lost."""
    held = ledger.read(database)
    cars = _shown(scene, watched.times_ns)
    matches: list[Match] = pair(cars, list(held.passes))
    committed = held.committed.get(DEVICE, 0)
    show.table(console, matches, held, appended=appended, committed=committed, stages_ms=watched.stages_ms)
    pictures = options.out / "pictures"
    for number, told in enumerate(held.passes, 1):
        if told.pass_id in watched.portraits:
            show.save(pictures, f"{number:02d}-{told.text or 'unread'}", watched.portraits[told.pass_id])
    console.print(f"annotated pictures: {pictures}")
    wrong = faults(matches, appended=appended, committed=committed, opened_twice=held.opened_twice)
    if len(watched.times_ns) != len(scene.frames):
        wrong.append(f"{len(watched.times_ns)} of the clip's {len(scene.frames)} frames were worked through")
    for sentence in wrong:
        console.print(f"wrong: {sentence}", style="bold red", markup=False)
    return 1 if wrong else 0


def _shown(scene: Scene, times_ns: Mapping[int, int]) -> list[Shown]:
    """Return when each car was in the picture; the clip's frames count from 0, the camera's from 1."""
    shown = []
    for index, car in enumerate(scene.cars):
        first, last = scene.shown(index)
        seconds = [times_ns[n + 1] / SECOND_NS for n in range(first, last + 1) if n + 1 in times_ns]
        # A car of which no frame was worked through was shown all the same, and then it has no pass.
        shown.append(Shown(car.name, car.plate, min(seconds, default=0.0), max(seconds, default=0.0)))
    return shown
