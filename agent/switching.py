"""Switches what serves a role while the barrier works: loads beside, compares, swaps between two frames, watches.

A trial is asked for in the store, by a program (`agent/trial_ends.py`) or by hand. The models' thread looks through
`SwitchedEyes`; it alone touches what serves, counts visits, and puts the one before back the moment something speaks
against the new one. The worker `run` does what takes time: reads what the store says, lets candidates look at every
k-th frame, writes down what came of it, closes what is left; loading has a thread of its own. What is decided is
`models/artifacts/trial.py`; what is seen is judged by `models/watch.py`.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable
from time import perf_counter

from platefleet.agent.figures import Figures
from platefleet.agent.loading import Load, Loader
from platefleet.agent.served import OpenPipelines, Served
from platefleet.agent.serving import Part, Running, Shelf
from platefleet.agent.settings.trial import TrialSettings
from platefleet.agent.shadow import Shown, compare
from platefleet.agent.switched_eyes import SwitchedEyes
from platefleet.agent.trial_ends import Ends
from platefleet.agent.visits import Visits
from platefleet.models.artifacts import trial
from platefleet.models.artifacts.passport import Role
from platefleet.models.artifacts.store import ROLES
from platefleet.models.errors import ArtifactError
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.errors import ModelError
from platefleet.protocol.ids import LaneId

LOG = logging.getLogger(__name__)
POLL_NS = 2 * SECOND_NS
"""How often the store is asked what it says: three small files."""
TICK_S = 0.2


class Switching:
    """What serves each role, and the one trial that is under way. `run` is a worker of the supervisor."""

    def __init__(
        self,
        shelf: Shelf,
        pipelines: OpenPipelines,
        running: Running,
        settings: TrialSettings,
        *,
        figures: Figures,
        clock: Clock,
        seed: int = 0,
    ) -> None:
        """pipelines: puts open parts together. running: is told what serves. seed: of the watch's draws."""
        self._shelf, self._served, self._settings = shelf, Served(shelf, pipelines, running, figures), settings
        self._figures, self._clock = figures, clock
        self._ends = Ends(shelf.store, figures, shelf.refused)
        self.changed: Callable[[], None] = lambda: None
        """Called by the worker when something else serves than before."""
        self._lock = threading.RLock()
        """Never held while a model works or a disk is waited for, but between two frames."""
        self._models_thread = 0
        self._state: trial.State = trial.Idle()
        self._beside: Part | None = None
        """Open and not serving: the candidate, after a swap the one before."""
        self._exchange = self._leftover = False
        """Whether `_beside` is to serve from the next frame on; whether nothing needs it any more."""
        self._to_load: Load | None = None
        """Loads an engine on the models' thread, which will own it."""
        self._loader = Loader(shelf, self._step, self._loaded, self._on_models_thread)
        self._visits = Visits(random.Random(seed).random)  # noqa: S311 - draws of a test, no secret
        self._looks = self._compared = 0
        self._shown: queue.Queue[Shown] = queue.Queue(1)
        self._polled_ns: int | None = None

    @property
    def state(self) -> trial.State:
        """How far the trial is."""
        return self._state

    def _step(self, event: trial.Event) -> None:
        with self._lock:
            before, (self._state, effects) = self._state, trial.decide(self._state, event)
            if isinstance(before, trial.Watching) and not isinstance(self._state, trial.Watching):
                self._visits.end(proven=isinstance(event, trial.Proven))
            if isinstance(before, trial.Waiting) and before != self._state:
                self._figures.well(f"room {before.chosen.role}")
            for effect in effects:
                self._do(effect)

    def _do(self, effect: trial.Effect) -> None:
        match effect:
            case trial.Open(chosen):
                self._looks = self._compared = 0
                self._loader.begin(chosen)
            case trial.Announce(chosen, said):
                told = f"{chosen.role}: {chosen.key[:8]}: {said}, as soon as no car is there"
                self._figures.trouble(f"room {chosen.role}", told)
                LOG.warning("%s", told)
            case trial.Replace():
                self._served.todo = effect
            case trial.PutBack():
                self._served.todo = effect
                if threading.get_ident() == self._models_thread:
                    self._take_place()
            case trial.Swap():
                self._exchange = True
            case trial.SwapBack():
                self._exchange = not self._exchange
                if self._exchange and threading.get_ident() == self._models_thread:
                    self._put_in()
            case trial.Drop():
                self._leftover, self._to_load = True, None
            case trial.BeginWatch(chosen):
                undecided = self._served[chosen.role].undecided
                self._visits.begin(chosen.role, self._settings.limits(longer=undecided), self._clock.now().mono_ns)
            case trial.Confirm() | trial.RollBack():
                self._ends.add(effect)

    # The models' thread.

    def open(self) -> dict[LaneId, SwitchedEyes]:
        """Open what serves each role, in the thread that will look. Raises ModelError."""
        with self._lock:
            self._state, self._exchange, self._leftover = trial.Idle(), False, True
            self._to_load = None
            self._models_thread = threading.get_ident()
        for role in ROLES:
            self._figures.well(f"room {role}")
        pipelines = self._served.open()
        with self._lock:
            self._visits.end(proven=False)
        return {lane: SwitchedEyes(lane, pipeline, self) for lane, pipeline in pipelines.items()}

    def between(self) -> None:
        """Do what may be done between two frames only."""
        self._take_place()
        if not (self._exchange or self._to_load or self._leftover):
            return
        with self._lock:
            if self._to_load is not None:
                began, load, self._to_load = perf_counter(), self._to_load, None
                self._loaded(load)
                self._figures.took("swap", (perf_counter() - began) * 1000)
            if self._exchange:
                self._put_in()
            if self._leftover and self._beside is not None and not self._beside.movable:
                self._close_beside()

    def looked(self, lane: LaneId, shown: Shown) -> None:
        """Take in what the running models saw in a frame."""
        with self._lock:
            outcome = self._visits.look(lane, shown.sighting, self._clock.now().mono_ns)
            if outcome is not None and isinstance(self._state, trial.Watching):
                self._step(outcome)
            candidate = self._beside
            if isinstance(self._state, trial.Waiting):
                self._await_calm(self._state.chosen)
            if not isinstance(self._state, trial.Shadowing) or candidate is None:
                return
            self._looks += 1
            if self._looks > self._settings.looks:
                self._step(trial.Failed(f"too few cars came in {self._looks} frames to compare it with what runs"))
            elif self._looks % self._settings.shadow_every == 0:
                if candidate.movable:
                    if not self._shown.full():
                        self._shown.put_nowait(shown)
                else:
                    self._compare(candidate, shown)

    def failed(self, error: ModelError) -> bool:
        """Put back what ran before if a model on trial may be to blame; whether the frame is worth another look."""
        with self._lock:
            if not isinstance(self._state, trial.Watching):
                return False
            self._step(trial.Failed(str(error)))
            return True

    def _await_calm(self, chosen: trial.Chosen) -> None:
        """Step on if no car is there and the watch knows enough of before; give up in the end."""
        self._looks += 1
        known = not chosen.trial or self._visits.known(chosen.role) >= self._settings.reference
        if known and self._visits.calm:
            self._step(trial.Calm())
        elif self._looks > self._settings.looks:
            why = "and there is no memory to load it beside what runs"
            self._step(trial.Failed(f"a car was there, or too few came, in {self._looks} frames, {why}"))

    def _put_in(self) -> None:
        """Let what is beside serve, and put what served beside it."""
        began, new = perf_counter(), self._beside
        self._exchange = False
        if new is not None:
            self._beside = self._served.exchange(new)
            self._step(trial.Swapped(self._served.paused(new.role, began)))

    def _take_place(self) -> None:
        outcome = self._served.take_place()
        if outcome is not None:
            self._step(outcome)

    # The thread that loads.

    def _on_models_thread(self, chosen: trial.Chosen, load: Load) -> None:
        with self._lock:
            if self._state == trial.Loading(chosen):
                self._to_load = load

    def _loaded(self, load: Load) -> None:
        """Load, and begin to compare, unless it was withdrawn meanwhile."""
        try:
            part = load()
        except ModelError as error:
            self._step(trial.Failed(str(error)))
            return
        with self._lock:
            state = self._state
            if isinstance(state, trial.Loading) and (part.role, part.key) == (state.chosen.role, state.chosen.key):
                self._beside, self._leftover = part, False
                self._step(trial.Opened())
                return
        part.model.close()

    # The worker.

    def run(self, stop: threading.Event, alive: Callable[[], None]) -> None:
        """Follow what the store says until `stop`."""
        while not stop.is_set():
            alive()
            try:
                shown = self._shown.get(timeout=TICK_S)
            except queue.Empty:
                shown = None
            candidate = self._beside
            if shown is not None and candidate is not None and isinstance(self._state, trial.Shadowing):
                self._compare(candidate, shown)
            self._ends.write()
            self._tidy()
            now_ns = self._clock.now().mono_ns
            if self._served and (self._polled_ns is None or now_ns - self._polled_ns >= POLL_NS):
                self._polled_ns = now_ns
                for role in ROLES:
                    self._follow(role)
        with self._lock:
            self._exchange = False
            self._state = trial.Idle()
            self._close_beside()

    def _compare(self, candidate: Part, shown: Shown) -> None:
        """Let the candidate look too. On the worker, or for an engine on the models' thread."""
        try:
            cases, lost = compare(candidate, shown)
        except ModelError as error:
            self._step(trial.Failed(str(error)))
            return
        self._figures.count("shadow_frames")
        with self._lock:
            self._compared += 1
            known = self._visits.known(candidate.role) >= self._settings.reference
            self._step(trial.Compared(cases, lost, ready=known and self._compared >= self._settings.shadow_frames))

    def _tidy(self) -> None:
        with self._lock:
            if self._leftover and not self._exchange and (self._beside is None or self._beside.movable):
                self._close_beside()
            news, self._served.news = self._served.news, False
        if news:
            self.changed()

    def _close_beside(self) -> None:
        beside, self._beside, self._leftover = self._beside, None, False
        if beside is not None:
            beside.model.close()

    def _follow(self, role: Role) -> None:
        """Do what the store says of a role now."""
        try:
            active = self._shelf.store.active(role)
            self._figures.well(f"store {role}")
        except ArtifactError as error:
            self._figures.trouble(f"store {role}", str(error))
            return
        with self._lock:
            state, serves = self._state, self._served[role].key
            if not isinstance(state, trial.Idle):
                if state.chosen.role == role and (active is None or active.key != state.chosen.key):
                    self._step(trial.Withdrawn())
                return
            busy = self._beside or self._exchange or self._loader.busy or self._served.todo
            if active is None or busy or not self._ends.written:
                return
            chosen = trial.Chosen(role, active.key, trial=not active.confirmed)
            if active.key == serves and not active.confirmed:  # it was proven, and could not be written down
                self._ends.add(trial.Confirm(chosen))
            elif active.key != serves and not self._ends.refused(role, active):
                self._figures.count("trials")
                LOG.info("%s: %s is opened beside what serves", role, active.key[:8])
                self._step(chosen)
