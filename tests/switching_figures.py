"""Prints what a switch costs and how soon a bad artifact is given up, as seen on this machine.

    python -m tests.switching_figures            painted artifacts, 25 frames per second
    python -m tests.switching_figures --pinned   the pinned plate model as both, 5 frames per second

Frames lost are those that a camera showed and nobody looked at; a pause is the time between two frames looked at.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from platefleet.agent.lane import Worked
from platefleet.agent.trial_ends import ask
from platefleet.models.artifacts.activation import activated
from platefleet.models.artifacts.passport import Passport
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.artifacts.trial import Idle, Loading, Shadowing, Watching
from platefleet.models.weights import materials
from tests.painted_models import as_artifact, painted_model
from tests.switched_agent import Site, a_store
from tests.until import until

STEADY_S = 15.0
"""How long is looked before and after, for comparison."""
LONG_S = 900.0


def lost_and_pause(seen: list[tuple[float, int]], begin: float, end: float) -> str:
    """Say what was lost between two times. seen: when each frame was looked at, and its number."""
    mine = [each for each in seen if begin <= each[0] <= end]
    pauses = [later[0] - earlier[0] for earlier, later in pairwise(mine)]
    lost = sum(later[1] - earlier[1] - 1 for earlier, later in pairwise(mine))
    return f"{len(mine)} frames looked at, {lost} lost, longest pause {max(pauses, default=0) * 1000:.0f} ms"


def swap(root: Path, *, pinned: bool) -> None:
    """Switch under load."""
    fps = 5.0 if pinned else 25.0
    store, candidate = pinned_pair(root) if pinned else painted_pair(root)
    for line in swapped(store, candidate, root / "lane", fps).lines():
        print(f"  {line}")


@dataclass(frozen=True)
class Swapped:
    """What was looked at while a candidate came to serve. marks: when each part of it began."""

    seen: list[tuple[float, int]]
    marks: dict[str, float]
    exchange_ms: float
    confirmed: bool

    def lines(self) -> list[str]:
        """Return it for a person."""
        at = self.marks["watched"]
        parts = [
            f"{name:8} {lost_and_pause(self.seen, begin, end)}"
            for (name, begin), (_, end) in pairwise(self.marks.items())
        ]
        return [
            *parts,
            f"around the swap (1 s each way): {lost_and_pause(self.seen, at - 1, at + 1)}",
            f"the exchange itself {self.exchange_ms:.3f} ms; confirmed: {'yes' if self.confirmed else 'no'}",
        ]


def swapped(
    store: ArtifactStore, candidate: Passport, lane: Path, fps: float, *, steady_s: float = STEADY_S, **site: Any
) -> Swapped:
    """Let a candidate of the plate's role come to serve on a lane in real time. site: more of `Site`'s arguments."""
    trial = {"shadow_every": 3, "shadow_frames": 10, "visits": 8, "reference": 3, "slower": 1000.0}
    seen: list[tuple[float, int]] = []

    def look(worked: Worked) -> None:
        seen.append((time.monotonic(), worked.picture.number))

    marks: dict[str, float] = {}
    camera = {"every_frame": False, "real_time": True, "fps": fps}
    with Site(store, lane, trial=trial, observers=[look], **camera, **site) as running:
        until(lambda: len(seen) > 20, LONG_S)
        marks["before"] = time.monotonic()
        time.sleep(steady_s)
        marks["loading"] = time.monotonic()
        ask(store, "plate", candidate.key, undecided_named=True)
        for name, kind in (("loading", Loading), ("shadow", Shadowing), ("watched", Watching), ("after", Idle)):
            until(lambda kind=kind: isinstance(running.switching.state, kind), LONG_S)  # type: ignore[misc]  # a loop's
            marks[name] = time.monotonic()
        time.sleep(steady_s)
        marks["end"] = time.monotonic()
        exchange = running.figures.latencies()["swap"]
        return Swapped(seen, marks, exchange[2], bool(running.count("trials_confirmed")))


def painted_pair(root: Path) -> tuple[ArtifactStore, Passport]:
    store, _ = a_store(root / "store")
    return store, as_artifact(store, "plate", painted_model(root / "b.onnx", 2, "license_plate", confidence=0.91))


def pinned_pair(root: Path) -> tuple[ArtifactStore, Passport]:
    """The pinned plate model twice, under two keys."""
    store, path = ArtifactStore(root / "pinned"), materials(photos=False).plate
    first = as_artifact(store, "plate", path, size=416)
    store.choose("plate", lambda now: activated(now, first))
    return store, as_artifact(store, "plate", path, size=416, opset=18)


def broken(root: Path, what: str, least_level: float) -> None:
    """Try one that acceptance let through, and that does worse here; the usual settings."""
    store, _ = a_store(root / what)
    candidate = as_artifact(
        store, "plate", painted_model(root / f"{what}.onnx", 2, "license_plate", least_level=least_level)
    )
    trial = {"shadow_frames": 4, "reference": 64, "slower": 1000.0}
    with Site(store, root / "lane-fast", trial=trial) as site:
        until(site.knows_enough, LONG_S)
        ask(store, "plate", candidate.key)
        until(lambda: site.count("trials_confirmed") + site.count("trials_rolled_back"), LONG_S)
        print(f"  {what}: {'; '.join(site.figures.troubles()) or 'confirmed'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pinned", action="store_true", help="the pinned plate model instead of painted ones")
    pinned = parser.parse_args().pinned
    with tempfile.TemporaryDirectory() as folder:
        print("swap under load:")
        swap(Path(folder), pinned=pinned)
        if not pinned:
            print("accepted offline, worse here (visits of 8 frames with a car and 12 without):")
            broken(Path(folder), "finds nothing", 2.0)
            broken(Path(folder), "loses a quarter of the frames", 0.9)


if __name__ == "__main__":
    main()
