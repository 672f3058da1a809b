"""The agent's artifacts put together from its settings. Wiring only."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from platefleet.agent.eyes import Weights, open_role, pipelines
from platefleet.agent.figures import Figures
from platefleet.agent.own_frames import FrameKeeper
from platefleet.agent.serving import Part, Running, Shelf
from platefleet.agent.settings.tree import Settings
from platefleet.agent.switching import Switching
from platefleet.models.artifacts.passport import Role
from platefleet.models.artifacts.store import ROLES, ArtifactStore
from platefleet.models.pipeline import Pipeline
from platefleet.protocol.clock import Clock
from platefleet.protocol.clock_sync import clock_state
from platefleet.protocol.ids import LaneId


def switching_of(
    settings: Settings, weights: Weights, running: Running, figures: Figures, clock: Clock
) -> Switching | None:
    """Return what opens and switches artifacts, or None where no store is kept."""
    if settings.models.store is None:
        return None

    def configured(role: Role) -> Part:
        return Part(role, open_role(role, settings.models, weights), weights.artifact(role))

    shelf = Shelf(settings.models, configured, ArtifactStore(settings.models.store), figures)

    def put_together(parts: Mapping[Role, Part]) -> dict[LaneId, Pipeline]:
        return pipelines(settings, *(parts[role].model for role in ROLES))

    seed = secrets.randbits(32)
    return Switching(shelf, put_together, running, settings.trial, figures=figures, clock=clock, seed=seed)


def frame_keeper_of(settings: Settings, figures: Figures, clock: Clock) -> FrameKeeper | None:
    """Return what keeps the device's own frames, or None where none are to be kept."""
    wanted, store = settings.own_frames, settings.models.store
    folder = wanted.folder or (None if store is None else store / "frames")
    if folder is None or not wanted.enabled:
        return None

    def dated() -> bool:
        return clock_state(clock.now(), assume_synced=settings.clock.assume_synced) != "unsynced"

    least = settings.health.disk_least_bytes
    return FrameKeeper(wanted, folder, dated=dated, least_free_bytes=least, figures=figures, clock=clock)
