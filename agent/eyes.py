"""The models of a device: one pipeline a lane, all over the same three models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from platefleet.agent.settings.tree import ModelSettings, Settings
from platefleet.models.artifacts.passport import Role
from platefleet.models.artifacts.store import ROLES
from platefleet.models.backends import open_detector
from platefleet.models.detections import Frame, Region
from platefleet.models.fetching import digest_of
from platefleet.models.formats import Format, find_format
from platefleet.models.pipeline import Pipeline
from platefleet.models.ports import Detector, Reader
from platefleet.models.reading import Sighting
from platefleet.models.weights import materials
from platefleet.protocol.ids import LaneId
from platefleet.protocol.messages import ArtifactInfo

SHOWN_DIGITS = 16
"""Of a digest, in events; the whole stands in the device's info."""


class Eyes(Protocol):
    """What looks at the frames of a lane: a `Pipeline`, or something that costs nothing in a test."""

    @property
    def vehicle_classes(self) -> tuple[str, ...]:
        """Names of the vehicle model's classes."""
        ...

    def look(self, frame: Frame, region: Region | None = None) -> Sighting:
        """Return what is in a frame. Raises ModelError."""
        ...

    def close(self) -> None:
        """Give back the models; safe to call twice."""
        ...


OpenEyes = Callable[[], Mapping[LaneId, Eyes]]
"""Opens the models, in the thread that will use them. Raises ModelError."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The files of the three roles."""

    vehicle: Path
    plate: Path
    reader: Path

    def artifacts(self) -> tuple[ArtifactInfo, ...]:
        """Return what runs, for the device's info."""
        return tuple(self.artifact(role) for role in ROLES)

    def artifact(self, role: Role) -> ArtifactInfo:
        """Return what the weights of one role are."""
        path: Path = getattr(self, role)
        return ArtifactInfo(
            role=role,
            format="pt" if path.suffix.lower() == ".pt" else "onnx",
            precision="fp32",
            digest=digest_of(path),
            active=True,
        )


def weights_of(settings: ModelSettings) -> Weights:
    """Return the files of the three roles; pinned ones are fetched if the cache lacks them. Raises WeightsError."""
    chosen = (settings.vehicle, settings.plate, settings.reader)
    kept = materials(photos=False) if "pinned" in chosen else None
    pinned = (None, None, None) if kept is None else (kept.vehicle, kept.plate, kept.reader)
    return Weights(*(Path(own if own != "pinned" else str(path)) for own, path in zip(chosen, pinned, strict=True)))


def short_names(artifacts: tuple[ArtifactInfo, ...]) -> dict[str, str]:
    """Return what ran for each role, as plate events have it."""
    return {each.role: f"{each.format}/{each.precision}/{each.digest[:SHOWN_DIGITS]}" for each in artifacts}


def formats_of(settings: Settings) -> dict[LaneId, Format | None]:
    """Return each lane's plate format. Raises ConfigError for an unknown one."""
    return {
        lane.name: None if lane.format is None else find_format(lane.format, settings.formats)
        for lane in settings.lanes
    }


def open_role(role: Role, models: ModelSettings, weights: Weights) -> Detector | Reader:
    """Open the configured weights of one role. Raises ModelError."""
    if role == "reader":
        from platefleet.models.reader import OnnxReader  # noqa: PLC0415 - an extra, loaded when used

        return OnnxReader(weights.reader, alphabet=models.alphabet, threads=models.threads, sha256=models.reader_sha256)
    vehicle = role == "vehicle"
    return open_detector(
        weights.vehicle if vehicle else weights.plate,
        models.vehicle_size if vehicle else models.plate_size,
        models.vehicle_confidence if vehicle else models.plate_confidence,
        models.overlap,
        sha256=models.vehicle_sha256 if vehicle else models.plate_sha256,
        threads=models.threads,
    )


def open_eyes(settings: Settings, weights: Weights) -> dict[LaneId, Eyes]:
    """Open the models once and return a pipeline for each lane. Raises ModelError."""
    vehicle, plate, reader = (open_role(role, settings.models, weights) for role in ROLES)
    return dict(pipelines(settings, vehicle, plate, reader))


def pipelines(settings: Settings, vehicle: Any, plate: Any, reader: Any) -> dict[LaneId, Pipeline]:
    """Return a pipeline for each lane, all over the same three models: two detectors and a reader."""
    return {
        lane: Pipeline(vehicle, plate, reader, plate_format=plate_format)
        for lane, plate_format in formats_of(settings).items()
    }
