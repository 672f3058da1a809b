"""Prints what a switch costs and how soon a bad artifact is given up, as seen on this machine.

    python -m tests.switching_figures            painted artifacts, 25 frames per second
    python -m tests.switching_figures --pinned   the pinned plate model as both, 5 frames per second

Frames lost are those that a camera showed and nobody looked at; a pause is the time between two frames looked at.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path

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
    trial = {"shadow_every": 3, "shadow_frames": 10, "visits": 8, "reference": 3, "slower": 1000.0}
    seen: list[tuple[float, int]] = []

    def look(worked: Worked) -> None:
        seen.append((time.monotonic(), worked.picture.number))

    marks: dict[str, float] = {}
    camera = {"every_frame": False, "real_time": True, "fps": fps}
    with Site(store, root / "lane", trial=trial, observers=[look], **camera) as site:
        until(lambda: len(seen) > 20, LONG_S)
        marks["before"] = time.monotonic()
        time.sleep(STEADY_S)
        marks["loading"] = time.monotonic()
        ask(store, "plate", candidate.key)
        for name, kind in (("loading", Loading), ("shadow", Shadowing), ("watched", Watching), ("after", Idle)):
            until(lambda kind=kind: isinstance(site.switching.state, kind), LONG_S)  # type: ignore[misc]  # a loop's
            marks[name] = time.monotonic()
        time.sleep(STEADY_S)
        marks["end"] = time.monotonic()
        exchange = site.figures.latencies()["swap"]
        confirmed = site.count("trials_confirmed")
    for (name, begin), (_, end) in pairwise(marks.items()):
        print(f"  {name:8} {lost_and_pause(seen, begin, end)}")
    print(f"  around the swap (1 s each way): {lost_and_pause(seen, marks['watched'] - 1, marks['watched'] + 1)}")
    print(f"  the exchange itself {exchange[2]:.3f} ms; confirmed: {'yes' if confirmed else 'no'}")


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
