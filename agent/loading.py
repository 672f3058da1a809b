"""Opens a candidate beside what serves, on a thread of its own, if there is memory for both."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from platefleet.agent.serving import Part, Shelf
from platefleet.models.artifacts import trial
from platefleet.models.artifacts.room import Instead
from platefleet.protocol.errors import ModelError

LOG = logging.getLogger(__name__)
Load = Callable[[], Part]
"""Opens a candidate that was checked. Raises ModelError."""


class Loader:
    """One candidate at a time."""

    def __init__(
        self,
        shelf: Shelf,
        step: Callable[[trial.Event], None],
        load: Callable[[Load], None],
        on_models_thread: Callable[[trial.Chosen, Load], None],
    ) -> None:
        """step: is told what comes of it. load: does the loading. on_models_thread: has it done there: an engine's."""
        self._shelf, self._step, self._load_here, self._load_there = shelf, step, load, on_models_thread
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being loaded."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self, chosen: trial.Chosen) -> None:
        """Look at the memory and load, on a thread of its own."""
        self._thread = threading.Thread(target=self._load, args=(chosen,), name="loading", daemon=True)
        self._thread.start()

    def _load(self, chosen: trial.Chosen) -> None:
        try:
            way = self._shelf.way(chosen.role, chosen.key)
            if isinstance(way, Instead):
                self._step(trial.Crowded(way.said))
                return
            LOG.info("%s: %s: %s", chosen.role, chosen.key[:8], way.said)
            passport, model = self._shelf.checked(chosen.role, chosen.key)

            def load() -> Part:
                return self._shelf.load(passport, model)

            if self._shelf.movable(passport):
                self._load_here(load)
            else:
                self._load_there(chosen, load)
        except ModelError as error:
            self._step(trial.Failed(str(error)))
        except Exception:  # a bug here must not leave a trial that never ends
            LOG.exception("%s: loading %s failed by a fault of this program", chosen.role, chosen.key[:8])
            self._step(trial.Failed("loading it failed by a fault of this program; its log has it"))
