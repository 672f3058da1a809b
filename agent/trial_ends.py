"""What comes of a trial, written into the store and told in health; and how one is asked for."""

from __future__ import annotations

import logging
from collections import deque

from platefleet.agent.figures import Figures
from platefleet.models.artifacts.activation import Active, activated, confirmed, rolled_back
from platefleet.models.artifacts.passport import Role
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.artifacts.trial import Confirm, RollBack
from platefleet.models.errors import ArtifactError

LOG = logging.getLogger(__name__)


def ask(store: ArtifactStore, role: Role, key: str, *, undecided_named: bool = False) -> Active:
    """Choose an artifact, on trial. Raises ArtifactError if it is damaged, may not run, or runs already."""
    passport = store.passport(role, key)
    store.model(passport)
    return store.choose(role, lambda now: activated(now, passport, undecided_named=undecided_named))


class Ends:
    """Ends of trials on their way into the store. `add` from any thread; the rest belongs to the worker."""

    def __init__(self, store: ArtifactStore, figures: Figures, refused: dict[Role, tuple[str, int]]) -> None:
        """refused: choices that came to nothing, as `Shelf.refused`."""
        self._store, self._figures, self._refused = store, figures, refused
        self._waiting: deque[Confirm | RollBack] = deque()

    def add(self, end: Confirm | RollBack) -> None:
        """Note an end; there is at most one for each trial, and none begins before the last is written."""
        self._waiting.append(end)

    @property
    def written(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def refused(self, role: Role, active: Active) -> bool:
        """Whether just this choice came to nothing before, and could not be taken back."""
        return self._refused.get(role) == (active.key, active.number)

    def write(self) -> None:
        """Write what waits. A disk that fails is told; a restart then comes up on the confirmed one all the same."""
        while self._waiting:
            end = self._waiting[0]
            try:
                self._confirm(end) if isinstance(end, Confirm) else self._roll_back(end)
            except ArtifactError as error:
                LOG.error("%s: what came of the trial could not be written down: %s", end.chosen.role, error)
                self._figures.trouble(f"store {end.chosen.role}", str(error))
            self._waiting.popleft()

    def _confirm(self, end: Confirm) -> None:
        role, key = end.chosen.role, end.chosen.key
        self._store.choose(role, lambda now: confirmed(_there(now, role), key))
        self._figures.count("trials_confirmed")
        self._figures.well(f"trial {role}")
        LOG.info("%s: %s is confirmed", role, key[:8])

    def _roll_back(self, end: RollBack) -> None:
        role, key = end.chosen.role, end.chosen.key
        said = f"{role}: {key[:8]} was given up and what ran before runs again: {end.why}"
        self._figures.count("trials_rolled_back")
        self._figures.trouble(f"trial {role}", said)
        LOG.error("%s", said)
        active = self._store.active(role)
        if active is not None and active.key == key:
            self._refused[role] = (key, active.number)
        if end.chosen.trial:
            self._store.choose(role, lambda now: rolled_back(_there(now, role), key))


def _there(now: Active | None, role: Role) -> Active:
    if now is None:
        raise ArtifactError(f"{role}: active.json is gone meanwhile; activate an artifact")
    return now
