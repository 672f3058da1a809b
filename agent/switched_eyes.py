"""A lane's eyes whose models may be others from one frame to the next."""

from __future__ import annotations

from typing import Protocol

from platefleet.agent.shadow import Shown
from platefleet.models.detections import Frame, Region
from platefleet.models.pipeline import Pipeline
from platefleet.models.reading import Sighting
from platefleet.protocol.errors import ModelError
from platefleet.protocol.ids import LaneId


class Switches(Protocol):
    """Who may put other models into a pipeline, and wants to know how they do."""

    def between(self) -> None:
        """Do what may be done between two frames only."""
        ...

    def looked(self, lane: LaneId, shown: Shown) -> None:
        """Take in what the models saw."""
        ...

    def failed(self, error: ModelError) -> bool:
        """Put back what ran before if a model on trial may be to blame; whether the frame is worth another look."""
        ...


class SwitchedEyes:
    """One lane's pipeline, whose models may be others from one frame to the next. For the models' thread."""

    def __init__(self, lane: LaneId, pipeline: Pipeline, switching: Switches) -> None:
        self._lane, self._pipeline, self._switching = lane, pipeline, switching

    @property
    def vehicle_classes(self) -> tuple[str, ...]:
        """Names of the vehicle model's classes."""
        return self._pipeline.vehicle_classes

    def look(self, frame: Frame, region: Region | None = None) -> Sighting:
        """Return what is in a frame; one that an artifact on trial fails on is looked at by the one before."""
        self._switching.between()
        try:
            sighting = self._pipeline.look(frame, region)
        except ModelError as error:
            if not self._switching.failed(error):
                raise
            sighting = self._pipeline.look(frame, region)
        self._switching.looked(self._lane, Shown(frame, region, sighting))
        return sighting

    def close(self) -> None:
        """Close the models that serve."""
        self._pipeline.close()
