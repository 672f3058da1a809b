"""What serves each role: opened from the artifact store where one is kept, else from the configured weights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from platefleet.agent.eyes import short_names
from platefleet.agent.figures import Figures
from platefleet.agent.settings.tree import ModelSettings
from platefleet.models.artifacts.activation import Active, at_start
from platefleet.models.artifacts.passport import Passport, Role
from platefleet.models.artifacts.room import Free, Way, free_memory, need_of, way
from platefleet.models.artifacts.store import ROLES, ArtifactStore
from platefleet.models.errors import ArtifactError
from platefleet.models.ports import Detector, Reader
from platefleet.protocol.errors import ModelError
from platefleet.protocol.messages import ArtifactInfo

LOG = logging.getLogger(__name__)
MOVABLE_FORMATS = ("onnx", "pt")
"""Formats that one thread may open and another use. An engine belongs to the thread that opened it."""
IN_PLACE_S = 45.0
"""What a run in a child may take while nothing serves: less than the supervisor waits before it says that models hang.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One role's model, open. passport: None where it comes from the configured weights."""

    role: Role
    model: Detector | Reader
    info: ArtifactInfo
    passport: Passport | None = None

    @property
    def key(self) -> str | None:
        """Its name in the store."""
        return None if self.passport is None else self.passport.key

    @property
    def title(self) -> str:
        """A short name for people."""
        return "the configured model" if self.passport is None else self.passport.title

    @property
    def undecided(self) -> bool:
        """Whether it runs because an administrator named it although too little was measured."""
        return self.passport is not None and self.passport.verdict.judged == "undecided"

    @property
    def movable(self) -> bool:
        """Whether any thread may open, use and close it, one at a time."""
        return self.passport is None or Shelf.movable(self.passport)


Configured = Callable[[Role], Part]
"""Opens the configured weights of a role. Raises ModelError."""


class Running:
    """What serves each role, for whoever tells of it. Safe to read from any thread."""

    def __init__(self, artifacts: Sequence[ArtifactInfo] = ()) -> None:
        """artifacts: what is configured; what is put in later counts."""
        self._infos = {each.role: each for each in artifacts}
        self.names = short_names(tuple(artifacts))
        """As plate events have them; changes in place."""

    def put(self, info: ArtifactInfo) -> None:
        """Note what serves a role from now on."""
        self._infos[info.role] = info
        self.names.update(short_names((info,)))

    def infos(self) -> tuple[ArtifactInfo, ...]:
        """Return what serves, for the device's info."""
        return tuple(self._infos.values())


class Shelf:
    """Opens what a role is to be served with. A trial that was cut off is over: the confirmed artifact comes up."""

    def __init__(
        self,
        settings: ModelSettings,
        configured: Configured,
        store: ArtifactStore,
        figures: Figures,
        free: Callable[[], Free] = free_memory,
    ) -> None:
        """Open nothing yet. configured: opens what the settings name for a role. free: asks what memory is free."""
        self._settings, self._configured, self._figures, self._free = settings, configured, figures, free
        self.store = store
        self.refused: dict[Role, tuple[str, int]] = {}
        """Of each role the choice, by key and number, that came to nothing: not tried again until it is another."""

    def at_start(self) -> dict[Role, Part]:
        """Open every role. Raises ModelError if what is configured cannot be opened either."""
        parts: dict[Role, Part] = {}
        try:
            for role in ROLES:
                parts[role] = self._first(role)
        except ModelError:
            for part in parts.values():
                part.model.close()
            raise
        return parts

    def checked(self, role: Role, key: str) -> tuple[Passport, Path]:
        """Return an artifact of which all is known that can be without loading it: its digest, and a run in a child."""
        from platefleet.models.artifacts.opening import checked  # noqa: PLC0415 - heavy, and only where a store is kept

        passport = self.store.passport(role, key)
        return passport, checked(self.store, passport)

    def way(self, role: Role, key: str) -> Way:
        """Return whether an artifact can be opened beside what runs, by what memory is free now."""
        passport = self.store.passport(role, key)
        return way(need_of(passport, self.store.model(passport).stat().st_size), self._free())

    def in_place(self, role: Role, key: str) -> Part:
        """Check and open an artifact while nothing serves its role; one that ran here before waits for no child."""
        from platefleet.models.artifacts.opening import checked, unwarmed  # noqa: PLC0415 - likewise
        from platefleet.models.artifacts.warm import warm  # noqa: PLC0415 - likewise

        passport = self.store.passport(role, key)
        run = partial(warm, deadline_s=IN_PLACE_S) if passport.opening is None else unwarmed
        return self.load(passport, checked(self.store, passport, warm=run))

    def again(self, before: Part) -> Part:
        """Open once more what served before; where that fails, the configured weights. Raises ModelError for these."""
        try:
            if before.passport is not None:
                return self.load(before.passport, self.store.model(before.passport))
        except ModelError as error:
            said = f"{before.role}: {before.title} cannot be opened again, the configured weights serve: {error}"
            self._figures.trouble(f"artifact {before.role}", said)
            LOG.error("%s", said)
        return self._configured(before.role)

    @staticmethod
    def movable(passport: Passport) -> bool:
        """Whether one thread may open it and another use it."""
        return passport.recipe.format in MOVABLE_FORMATS

    def load(self, passport: Passport, model: Path) -> Part:
        """Open an artifact that was checked, in this process."""
        from platefleet.models.artifacts.opening import opened_detector, opened_reader  # noqa: PLC0415 - likewise

        role = passport.recipe.role
        if role == "reader":
            reader = opened_reader(passport, model, alphabet=self._settings.alphabet, threads=self._settings.threads)
            return Part(role, reader, _info(passport), passport)
        confidence = self._settings.vehicle_confidence if role == "vehicle" else self._settings.plate_confidence
        threshold = passport.verdict.threshold
        detector = opened_detector(
            passport,
            model,
            confidence=confidence if threshold is None else threshold,
            iou=self._settings.overlap,
            threads=self._settings.threads,
        )
        return Part(role, detector, _info(passport), passport)

    def _first(self, role: Role) -> Part:
        """Return what a role begins with; whatever the store says, the role is served."""
        active = None
        self.refused.pop(role, None)
        try:
            active = self._confirmed(role)
            if active is not None:
                part = self.load(*self.checked(role, active.key))
                self._figures.well(f"artifact {role}")
                return part
        except ModelError as error:
            if active is not None:
                self.refused[role] = (active.key, active.number)
            self._figures.count("artifacts_refused")
            said = f"{role}: the active artifact cannot be opened, the configured weights serve instead: {error}"
            self._figures.trouble(f"artifact {role}", said)
            LOG.error("%s", said)
        return self._configured(role)

    def _confirmed(self, role: Role) -> Active | None:
        """Return what is active once a trial that was cut off is over."""
        active = self.store.active(role)
        if active is None or active.confirmed:
            return active
        settled = self.store.choose(role, _over)
        self._figures.count("trials_rolled_back")
        said = f"{role}: the trial of {active.key[:8]} was cut off by a restart; {settled.key[:8]} runs again"
        self._figures.trouble(f"trial {role}", said)
        LOG.warning("%s", said)
        return settled


def _over(now: Active | None) -> Active:
    if now is None:
        raise ArtifactError("active.json is gone meanwhile; activate an artifact")
    return at_start(now)


def _info(passport: Passport) -> ArtifactInfo:
    recipe = passport.recipe
    return ArtifactInfo(
        role=recipe.role,
        format=recipe.format,
        precision=recipe.precision,
        digest=passport.files[passport.model],
        active=True,
    )
