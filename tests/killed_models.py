"""A process that builds, activates or rolls back, killed at a seeded point; `python -m tests.killed_models 50`.

The points are the process's own steps in the store's folder (every file opened, renamed, removed, every folder made),
and moments while its build's child works. After each kill the same store is looked at and used on, so that damage would
add up: what is active can be loaded, and `verify` finds nothing after `prune`.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from platefleet.models.artifacts.activation import activated, at_start, rolled_back
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.passport import Passport, Recipe, Verdict
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.artifacts.upkeep import prune, verify
from platefleet.models.backends import open_detector
from platefleet.models.build.run import Order, build
from platefleet.models.errors import ArtifactError

WORKS = ("activate", "rollback", "build")
NEVER = 1 << 30
_STEPS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.copyfile", "shutil.rmtree"})


@dataclass(frozen=True)
class Killed:
    """One point. step: of the process in the store; after_s: seconds into the build's child, where it was one."""

    work: str
    step: int
    after_s: float | None
    died: bool


def sweep(store: ArtifactStore, first: Passport, other: Passport, points: int, seed: int) -> list[Killed]:
    """Kill at `points` points and look at the store after each. Raises AssertionError naming the point.

    first, other: accepted artifacts of one role; `first` becomes active. Build is of `first`'s recipe at another batch.
    """
    rng = random.Random(seed)
    store.choose("plate", lambda now: now or activated(None, first))
    steps = {work: _steps_of(store, work, first, other) for work in WORKS}
    killed = []
    for number in range(points):
        work = WORKS[number % len(WORKS)]
        after_s = rng.uniform(0.0, 1.5) if work == "build" and rng.random() < 0.5 else None
        step = NEVER if after_s is not None else rng.randint(1, steps[work])
        point = Killed(
            work, step, after_s, _run(store, work, (first.key, other.key), step, after_s)[1] == -signal.SIGKILL
        )
        killed.append(point)
        _look(store, first, other, f"seed {seed}, point {number}: {point}")
    return killed


def _steps_of(store: ArtifactStore, work: str, first: Passport, other: Passport) -> int:
    """Return how many steps a work takes when nobody kills it."""
    said, status = _run(store, work, (first.key, other.key), NEVER, None)
    assert status == 0, said
    _look(store, first, other, f"{work}, not killed")
    return int(said.split()[-1])


def _run(store: ArtifactStore, work: str, keys: tuple[str, str], step: int, after_s: float | None) -> tuple[str, int]:
    command = [sys.executable, "-m", "tests.killed_models", "work", str(store.root), work, *keys]
    process = subprocess.Popen([*command, str(step)], stdout=subprocess.PIPE, text=True)
    killer = None
    if after_s is not None:
        killer = threading.Timer(after_s + 0.5, process.kill)  # half a second to be imported
        killer.start()
    said, _ = process.communicate(timeout=120)
    if killer is not None:
        killer.cancel()
    return said, process.returncode


def _look(store: ArtifactStore, first: Passport, other: Passport, where: str) -> None:
    """Say that all is well with the store, as an agent that starts now would find it."""
    active = store.active("plate")
    assert active is not None, where
    assert active.key in {first.key, other.key}, where
    for key in {active.key, at_start(active).key}:
        passport = store.passport("plate", key)
        open_detector(store.model(passport), passport.recipe.size, 0.25, 0.7).close()
    for each in store.passports("plate"):
        store.model(each)
    prune(store, {first.key, other.key})
    bad = [each for each in verify(store) if each.said]
    assert bad == [], f"{where}: {bad}"
    assert list((store.root / "plate" / "tmp").glob("*")) == [], where
    assert list((store.root / "plate").glob(".*")) == [], where


def _work(root: Path, work: str, first: str, other: str, last: int) -> int:
    """Do it, and end by SIGKILL at step `last`; return how many steps it took. Runs in the process that is killed."""
    store, steps = ArtifactStore(root), [0]

    def count(event: str, args: tuple[object, ...]) -> None:
        if event in _STEPS and args and str(args[0]).startswith(str(root)):
            steps[0] += 1
            if steps[0] == last:
                os.kill(os.getpid(), signal.SIGKILL)

    passports = {key: store.passport("plate", key) for key in (first, other)}
    recipe: Recipe = passports[first].recipe.model_copy(update={"batch": 2})
    here = machine()
    sys.addaudithook(count)
    match work:
        case "build":
            build(store, Order(recipe), machine=here)
        case "activate":
            active = store.active("plate")
            assert active is not None
            store.choose("plate", lambda now: activated(now, passports[first if active.key == other else other]))
        case _:
            try:
                store.choose("plate", lambda now: rolled_back(now) if now else activated(None, passports[first]))
            except ArtifactError:  # nothing ran before it: the same steps, with an activation
                store.choose(
                    "plate", lambda now: activated(now, passports[first if now and now.key == other else other])
                )
    return steps[0]


def accepted(store: ArtifactStore, key: str) -> Passport:
    """Write what an evaluation on many frames would."""
    return store.update("plate", key, lambda each: each.model_copy(update={"verdict": Verdict(judged="accepted")}))


def main(points: int, seed: int) -> None:
    """Build a store of the pinned plate model and sweep it."""
    from platefleet.models.weights import materials  # noqa: PLC0415 - the killed process has no use for it

    with tempfile.TemporaryDirectory() as folder:
        store = ArtifactStore(Path(folder) / "artifacts")
        source = store.add_source("plate", materials(photos=False).plate)
        recipe = Recipe(role="plate", source=source, format="onnx", precision="fp32", size=416, batch=None)
        first = build(store, Order(recipe), machine=machine())
        other = build(store, Order(recipe.model_copy(update={"batch": 1})), machine=machine())
        killed = sweep(store, first, accepted(store, other.key), points, seed)
    died = sum(each.died for each in killed)
    print(f"{len(killed)} points, {died} killed before the end; after each the active artifact was loadable")


if __name__ == "__main__":
    if sys.argv[1] == "work":
        print(_work(Path(sys.argv[2]), *sys.argv[3:6], int(sys.argv[6])))
    else:
        main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
