"""What serves now: the open parts in the pipelines of all lanes. For the models' thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

from platefleet.agent.figures import Figures
from platefleet.agent.serving import Part, Running, Shelf
from platefleet.models.artifacts import trial
from platefleet.models.artifacts.passport import Role
from platefleet.models.pipeline import Pipeline
from platefleet.protocol.errors import ModelError
from platefleet.protocol.ids import LaneId

LOG = logging.getLogger(__name__)
OpenPipelines = Callable[[Mapping[Role, Part]], Mapping[LaneId, Pipeline]]


class Served:
    """Exchanges a role's part in every lane, between two frames."""

    def __init__(self, shelf: Shelf, pipelines: OpenPipelines, running: Running, figures: Figures) -> None:
        """pipelines: puts open parts together. running: is told what serves."""
        self._shelf, self._put_together, self._running, self._figures = shelf, pipelines, running, figures
        self._serving: dict[Role, Part] = {}
        self._opened: Sequence[Pipeline] = ()
        self._before: dict[Role, Part] = {}
        """Closed, to make room for what serves in its place."""
        self.todo: trial.Replace | trial.PutBack | None = None
        """Where there is no memory for two: what `take_place` is to do before the next frame."""
        self.news = False
        """Whether something else serves than was told."""

    def open(self) -> Mapping[LaneId, Pipeline]:
        """Open what each role begins with. Raises ModelError."""
        serving = self._shelf.at_start()
        for part in serving.values():
            self._running.put(part.info)
        pipelines = self._put_together(serving)
        self.news = bool(self._opened)
        self._serving, self._opened, self._before = serving, tuple(pipelines.values()), {}
        self.todo = None
        return pipelines

    def __bool__(self) -> bool:
        return bool(self._serving)

    def __getitem__(self, role: Role) -> Part:
        return self._serving[role]

    def exchange(self, new: Part) -> Part:
        """Let `new` serve; return what served before, still open."""
        for pipeline in self._opened:
            pipeline.exchange(new.role, new.model)
        before, self._serving[new.role] = self._serving[new.role], new
        self._running.put(new.info)
        self.news = True
        return before

    def take_place(self) -> trial.Swapped | trial.Failed | None:
        """Close what serves and open another in its place, if that is to be done; the models pause meanwhile.

        Return what came of it. Where what ran before cannot be opened again, that is tried at every frame.
        """
        began, todo = perf_counter(), self.todo
        if todo is None:
            return None
        role = todo.chosen.role
        try:
            if isinstance(todo, trial.PutBack):
                self._serving[role].model.close()
                self.exchange(self._shelf.again(self._before[role]))
            else:
                self._before[role] = self._serving[role]
                self._serving[role].model.close()
                self.exchange(self._shelf.in_place(role, todo.chosen.key))
        except ModelError as error:
            if isinstance(todo, trial.PutBack):
                LOG.error("%s: nothing serves it, which is tried again at the next frame: %s", role, error)
                return None
            self.todo = None
            return trial.Failed(str(error))
        self.todo = None
        swapped = trial.Swapped(self.paused(role, began))
        return None if isinstance(todo, trial.PutBack) else swapped

    def paused(self, role: Role, began: float) -> float:
        """Tell what serves now, and for how long no frame could be looked at; return the milliseconds."""
        pause_ms = (perf_counter() - began) * 1000
        self._figures.took("swap", pause_ms)
        LOG.info("%s: %s serves now; the models paused for %.1f ms", role, self._serving[role].title, pause_ms)
        return pause_ms
