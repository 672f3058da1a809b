"""`platefleet agent check`: is everything there that the agent needs? One finding a line."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from platefleet.agent.cameras.decoder import Decoder, Ended, Failed, Missed, Opened, Shown
from platefleet.agent.config import ConfigProblems, load
from platefleet.agent.disk import look_at_outbox, outbox_file, there
from platefleet.agent.eyes import open_eyes, weights_of
from platefleet.agent.knock import knock
from platefleet.agent.machine import free_bytes
from platefleet.agent.run import broker_of
from platefleet.agent.settings.lanes import Lane
from platefleet.agent.settings.tree import Settings
from platefleet.models.artifacts.opening import checked
from platefleet.models.artifacts.passport import Passport, Role
from platefleet.models.artifacts.store import ROLES, ArtifactStore
from platefleet.models.artifacts.warm import warm
from platefleet.models.fetching import cache_folder
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.clock_sync import clock_state
from platefleet.protocol.errors import CameraError, ConfigError, ModelError, PlatefleetError

BROKER_S = 5.0
"""Connection, TLS and the broker's answer, each at most."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. what: `config`, `camera NAME`, `broker`, …; said: one sentence.

    needed: whether the agent cannot do its work while this is not `ok`.
    """

    what: str
    ok: bool
    said: str
    needed: bool = True


def check(path: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at everything the settings at `path` name, and tell each as soon as it is known.

    Nothing is changed, but that pinned weights which the cache lacks are downloaded into it.
    """
    try:
        settings = load(path, environ)
    except ConfigProblems as error:
        yield from (Finding("config", False, problem) for problem in error.problems)
        return
    except ConfigError as error:
        yield Finding("config", False, str(error))
        return
    lanes = ", ".join(lane.name for lane in settings.lanes)
    yield Finding("config", True, f"{path}: device {settings.device}, lanes {lanes}")
    for lane in settings.lanes:
        yield _finding(f"camera {lane.name}", camera, lane)
    yield _finding("broker", broker, settings)
    yield _finding("models", models, settings)
    if settings.models.store is not None:
        store = ArtifactStore(settings.models.store)
        yield from (artifact(store, role) for role in ROLES)
    yield _finding("outbox", outbox, settings)
    yield _finding("disk", disk, settings)
    yield clock(settings)


def _finding(what: str, look: Callable[[T], str], at: T) -> Finding:
    try:
        return Finding(what, True, look(at))
    except PlatefleetError as error:
        return Finding(what, False, str(error))


def camera(lane: Lane) -> str:
    """Return what a camera shows. Raises CameraError if it shows nothing in its time."""
    limit_s = lane.camera.open_timeout_s + lane.camera.stall_timeout_s
    ends, fps, why = time.monotonic() + limit_s, 0.0, ""
    decoder = Decoder(lane.camera.options())
    try:
        while time.monotonic() < ends:
            match decoder.hear(0.25):
                case Opened(claimed):
                    fps = claimed
                case Shown(frame=frame):
                    height, width = frame.shape[:2]
                    return f"{width}x{height} pixels, {f'{fps:g} frames/s' if fps else 'its rate unknown'}"
                case Missed(said):
                    why = said
                case Failed(said):
                    raise CameraError(said)
                case Ended(said):
                    raise CameraError(f"it ended before it showed a frame{f' ({said})' if said else ''}; check it")
                case None:
                    continue
        raise CameraError(
            f"no frame within {limit_s:g} s{f' ({why})' if why else ''}; check the camera and its network"
        )
    finally:
        decoder.close()


def broker(settings: Settings) -> str:
    """Return how the broker answered. Raises SessionError if it refuses or cannot be reached.

    The name that knocks is not the device's, so that a running agent stays connected. Where the broker takes the user
    name for the client id all the same, it is thrown off and comes back within a second.
    """
    reached = broker_of(settings)
    knock(f"{settings.device[:57]}.check", reached, BROKER_S)
    tls = " with TLS" if reached.tls else ""
    return f"{reached.host}:{reached.port}{tls} lets {reached.username or 'anybody'} in"


def models(settings: Settings) -> str:
    """Return what the models cost on this machine: a second look at a gray picture. Raises ModelError, WeightsError.

    Pinned weights which the cache lacks are downloaded into it.
    """
    eyes = open_eyes(settings, weights_of(settings.models))
    first = next(iter(eyes.values()))
    frame = np.full((720, 1280, 3), 114, np.uint8)
    try:
        first.look(frame)
        ms = first.look(frame).ms
    finally:
        first.close()
    return (
        f"loaded; an empty picture takes {ms['total']:.0f} ms (vehicles {ms['vehicle']:.0f}, plates {ms['plate']:.0f})"
    )


def artifact(store: ArtifactStore, role: Role) -> Finding:
    """Say whether a role's active artifact opens: its digest, an engine's header, a run in a child. Nothing is written.

    The agent serves from the configured weights where it does not, so it is not needed.
    """
    what = f"artifact {role}"
    try:
        active = store.active(role)
        if active is None:
            return Finding(
                what, True, "none is active, the configured weights serve; `platefleet models list` tells all"
            )
        passport = store.passport(role, active.key)
        checked(store, passport, warm=_tried)
    except ModelError as error:
        return Finding(what, False, f"{error}; until then the configured weights serve", needed=False)
    state = "" if active.confirmed else ", on trial: a restart now goes back to what ran before"
    return Finding(what, True, f"{passport.title} opens and runs ({passport.verdict.judged}){state}")


def _tried(passport: Passport, model: Path) -> None:
    """Run it in a child, and note nothing of that in the store."""
    warm(passport, model)


def outbox(settings: Settings) -> str:
    """Return how the outbox is. Raises ConfigError if it cannot be kept where it should; in memory it then is."""
    return look_at_outbox(outbox_file(settings), settings.health.disk_least_bytes)


def disk(settings: Settings) -> str:
    """Return the free space where weights are cached and work is done. Raises ConfigError if it cannot be written."""
    folders = {cache_folder(), Path.cwd()}
    least = settings.health.disk_least_bytes
    for folder in folders:
        nearest = there(folder)
        free = free_bytes(nearest)
        if free is None or free < least:
            raise ConfigError(f"{nearest}: {(free or 0) >> 20} MB free, less than {least >> 20}; make room")
        try:
            with tempfile.TemporaryFile(dir=nearest):
                pass
        except OSError as error:
            raise ConfigError(f"{nearest}: cannot be written ({error.strerror}); check its permissions") from error
    return f"{(free_bytes(Path.cwd()) or 0) >> 20} MB free, writable"


def clock(settings: Settings) -> Finding:
    """Say what is known of the clock. An agent works without a good one: the store corrects its times later."""
    match clock_state(SystemClock().now(), assume_synced=settings.clock.assume_synced):
        case "synced":
            return Finding("clock", True, "the kernel says that it is synchronised")
        case "assumed":
            return Finding("clock", True, "taken for synchronised, as clock.assume_synced says")
        case _:
            said = "not synchronised; set up NTP, or clock.assume_synced where something else keeps the time"
            return Finding("clock", False, said, needed=False)
