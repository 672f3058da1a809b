"""What simulated nights are made of: a clock with a true time, a stage on which work takes simulated minutes."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from platefleet.models.artifacts.activation import activated, confirmed
from platefleet.models.artifacts.key import key_of
from platefleet.models.artifacts.passport import Machine, Passport, Recipe, Verdict
from platefleet.models.errors import BuildDeferred, BuildError
from platefleet.models.operations import operations
from platefleet.models.operations.activate import KEPT, Activate, Activated
from platefleet.models.operations.benchmark import Benchmark, Benchmarked
from platefleet.models.operations.build import Build, Built, recipe_of
from platefleet.models.operations.evaluate import Evaluate, Evaluated
from platefleet.models.operations.found import by_key, told
from platefleet.models.operations.port import Host, Job, Operation, StoppedEarly
from platefleet.protocol.clock import SECOND_NS, Instant
from platefleet.protocol.commands.lifecycle import ATTEMPTS
from tests.artifact_stores import placed

OLD = Machine(cpu="arm", gpu="Orin", compute_capability="8.7", tensorrt="8.6.2")
NEW = OLD.model_copy(update={"tensorrt": "10.3.0"})
MINUTE_NS = 60 * SECOND_NS


PowerCut = SystemExit
"""The power went: whatever thread it comes to ends without a word."""


@dataclass
class NightClock:
    """The true time, and what the device believes: 1970 until it is synchronised."""

    true_ns: int
    booted_ns: int = 0
    synced: bool = True

    @property
    def boot(self) -> str:
        """The boot that the monotonic time counts from."""
        return f"boot {self.booted_ns}"

    def now(self) -> Instant:
        mono_ns = self.true_ns - self.booted_ns
        return Instant(self.true_ns if self.synced else mono_ns, mono_ns)


@dataclass(frozen=True)
class Noted:
    """Something that was seen from outside: `begin`, `end`, `work` (a stretch of it), at a true time."""

    what: str
    true_ns: int
    id: str
    operation: str
    boot: int


class Stage:
    """Where scripted operations spend simulated time, in step with who turns the clock."""

    def __init__(self, clock: NightClock) -> None:
        self.clock, self.log, self.boot = clock, list[Noted](), 0
        self._changed = threading.Condition()
        self._waiting: set[threading.Thread] = set()
        self._turn, self._cut = 0, False

    def spend(self, job: Job, operation: str, step: str, seconds: float) -> None:
        """Work for so long; standing still does not count. Raises StoppedEarly, PowerCut."""
        left_ns = round(seconds * SECOND_NS)
        while left_ns > 0:
            before_ns = self.clock.true_ns
            self._wait()
            if job.stopping():
                raise StoppedEarly("it was told to stop")
            if job.paused():
                continue
            job.tell(step, None)
            left_ns -= self.clock.true_ns - before_ns
            self.note("work", job, operation)

    def note(self, what: str, job: Job, operation: str) -> None:
        self.log.append(Noted(what, self.clock.true_ns, job.command, operation, self.boot))

    def _wait(self) -> None:
        me = threading.current_thread()
        with self._changed:
            mine = self._turn
            self._waiting.add(me)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._turn != mine or self._cut)
            if self._cut:
                raise PowerCut

    def turned(self) -> None:
        """Let everybody work up to now."""
        with self._changed:
            self._turn += 1
            self._waiting.clear()
            self._changed.notify_all()

    def settled(self, threads: Collection[threading.Thread]) -> None:
        """Wait until each of these waits for the clock, or has ended."""
        ends = time.monotonic() + 120
        with self._changed:
            while not all(each in self._waiting or not each.is_alive() for each in threads):
                assert time.monotonic() < ends, "a try hangs"
                self._changed.wait(0.005)  # a thread's end is told to nobody

    def cut(self, threads: Collection[threading.Thread]) -> None:
        """Take the power away."""
        with self._changed:
            self._cut = True
            self._waiting.clear()
            self._changed.notify_all()
        for each in threads:
            each.join(120)
            assert not each.is_alive()
        self._cut = False


@dataclass
class Script:
    """What happens to scripted operations: a throw of the seed for each time that one begins.

    Each throw is a function of the seed, the operation and how often it began, not of what else was thrown before it:
    two that begin at the same moment begin in either order.
    """

    seed: int
    deferred: float = 0.25
    wrong: float = 0.15
    builds: int = 0
    measured: Counter[str] = field(default_factory=Counter)

    def build(self) -> tuple[float, str]:
        """Return how many seconds a build takes and how it fails, if it does. The first ones all want memory."""
        self.builds += 1
        throw = self._throw("build", self.builds)
        fate = 0.0 if self.builds <= ATTEMPTS else throw.random()
        kind = "memory" if fate < self.deferred else "wrong" if fate < self.deferred + self.wrong else ""
        return throw.uniform(8, 50) * 60 / (3 if kind else 1), kind

    def measure(self, operation: str) -> float:
        """Return how many seconds a measurement takes."""
        self.measured[operation] += 1
        return self._throw(f"measuring for {operation}", self.measured[operation]).uniform(5, 25) * 60

    def _throw(self, operation: str, count: int) -> random.Random:
        return random.Random(f"{self.seed} {operation} {count}")


def scripted(stage: Stage, script: Script) -> Mapping[str, Operation[Any, Any]]:
    """Return the operations, those scripted that would take a real machine minutes."""

    def build(arguments: Build, host: Host, job: Job) -> Built:
        job.step("preparing")
        recipe = recipe_of(arguments, host)
        seconds, kind = script.build()
        job.step("building")
        stage.spend(job, "build", "building", seconds)
        if kind == "memory":
            raise BuildDeferred("plate: ran out of memory; it is tried again at a quieter time")
        if kind == "wrong":
            raise BuildError("plate: could not find any implementation for node 7")
        job.step("evaluating")
        stage.spend(job, "build", "evaluating", script.measure("build"))
        return Built(passport=told(engine(host, recipe)))

    def activate(arguments: Activate, host: Host, job: Job) -> Activated:
        job.step("choosing")
        passport = by_key(host.store, arguments.role, arguments.key or "")
        job.keep(KEPT, passport.key)
        host.store.choose(arguments.role, lambda now: activated(now, passport))
        job.step("on trial")
        stage.spend(job, "activate", "on trial", 600)
        host.store.choose(arguments.role, lambda now: now if now is None or now.confirmed else confirmed(now, now.key))  # type: ignore[arg-type, return-value]
        return Activated(role=arguments.role, key=passport.key, artifact=passport.title, confirmed=True)

    def benchmark(arguments: Benchmark, host: Host, job: Job) -> Benchmarked:
        job.step("preparing")
        job.step("measuring")
        stage.spend(job, "benchmark", "measuring", script.measure("benchmark"))
        passports = host.store.passports(arguments.role)
        return Benchmarked(rows=tuple({"key": each.key, "accuracy": each.verdict.numbers} for each in passports))

    def evaluate(arguments: Evaluate, host: Host, job: Job) -> Evaluated:
        job.step("preparing")
        passport = by_key(host.store, arguments.role, arguments.key)
        job.step("evaluating")
        stage.spend(job, "evaluate", "evaluating", script.measure("evaluate"))
        return Evaluated(passport=told(passport))

    real = dict(operations())
    done = {"build": build, "activate": activate, "benchmark": benchmark, "evaluate": evaluate}
    runs: dict[str, Callable[..., Any]] = {**{name: operation.run for name, operation in real.items()}, **done}
    return {name: replace(operation, run=_watched(stage, name, runs[name])) for name, operation in real.items()}


def _watched(stage: Stage, name: str, run: Callable[..., Any]) -> Callable[..., Any]:
    def watched(arguments: Any, host: Host, job: Job) -> Any:
        stage.note("begin", job, name)
        try:
            return run(arguments, host, job)
        finally:
            stage.note("end", job, name)

    return watched


def engine(host: Host, recipe: Recipe, judged: str = "accepted") -> Passport:
    """Put an artifact into the store as a build and its evaluation leave it."""
    store, machine = host.store, host.machine()
    known = {each.key for each in store.passports(recipe.role)}
    if key_of(recipe, machine) in known:
        return store.passport(recipe.role, key_of(recipe, machine))
    verdict = Verdict.model_validate({"judged": judged, "numbers": {"recall": 0.93}})
    return placed(
        store,
        recipe,
        store.source(recipe.role, recipe.source),
        key=key_of(recipe, machine),
        machine=machine,
        verdict=verdict,
        made_utc_ns=len(known) + 1,
    )
