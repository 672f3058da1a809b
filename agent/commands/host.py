"""The device as operations see it (`models/operations/port.py`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from platefleet.agent.commands.cameras import Cameras
from platefleet.agent.commands.choices import Choices
from platefleet.agent.settings.tree import Settings
from platefleet.models.acceptance.dataset import Dataset, load_dataset
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.passport import Machine, Role
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.errors import ArtifactError
from platefleet.models.operations.port import Hosts
from platefleet.protocol.ids import new_epoch
from platefleet.protocol.messages import Window


class AgentHost:
    """Everything is asked of what the agent is made of; nothing is kept here but which run this is."""

    def __init__(
        self,
        settings: Settings,
        cameras: Cameras,
        choices: Choices,
        *,
        diagnosis: Callable[[], Mapping[str, Any]],
        begin_anew: Callable[[], None],
    ) -> None:
        self._settings, self._cameras, self._choices = settings, cameras, choices
        self._diagnosis, self._begin_anew = diagnosis, begin_anew
        self._run = new_epoch()

    @property
    def store(self) -> ArtifactStore:
        """The device's artifacts. Raises ArtifactError where it keeps none."""
        folder = self._settings.models.store
        if folder is None:
            raise ArtifactError("this device keeps no artifacts; set models.store in its configuration")
        return ArtifactStore(folder)

    @property
    def hosts(self) -> Hosts:
        """Where models may come from."""
        ours = self._settings.commands
        return Hosts(ours.hosts, ours.ca_file, ours.token_file)

    def machine(self) -> Machine:
        """Return what it runs on."""
        return machine()

    def frames(self, use: Literal["evaluation", "calibration"]) -> Dataset:
        """Return the configured frames for a use, or the device's own. Raises ArtifactError where there are none."""
        ours = self._settings.commands
        configured = ours.evaluation if use == "evaluation" else ours.calibration
        folder = configured or self._own(use)
        if folder is None:
            raise ArtifactError(
                f"this device has no frames for {use}; set commands.{use}, or models.store so that it keeps its own"
            )
        return load_dataset(folder)

    def threshold(self, role: Role) -> float:
        """Return the role's operating confidence."""
        models = self._settings.models
        return models.vehicle_confidence if role == "vehicle" else models.plate_confidence

    def pictures(self, lanes: Sequence[str], most_bytes: int) -> Mapping[str, bytes]:
        """Return what the cameras see now. Raises CameraError."""
        return self._cameras.pictures(lanes, most_bytes)

    def diagnosis(self) -> Mapping[str, Any]:
        """Return what a technician would look at first."""
        return self._diagnosis()

    def window(self) -> Window:
        """Return the window in force."""
        return self._choices.window

    def set_window(self, window: Window) -> None:
        """Put another window in force. Raises JournalError."""
        self._choices.set_window(window)

    def begin_anew(self) -> None:
        """Ask the agent to end and be started again."""
        self._begin_anew()

    def run(self) -> str:
        """Return the id of this run."""
        return self._run

    def _own(self, use: str) -> Path | None:
        wanted, store = self._settings.own_frames, self._settings.models.store
        folder = wanted.folder or (None if store is None else store / "frames")
        return None if folder is None else folder / use
