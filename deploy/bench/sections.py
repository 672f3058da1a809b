"""The sections of the benchmark: what each measures, where its rows come from, and what it needs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platefleet.protocol.errors import PlatefleetError

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """One table. module, function: who measures it, `() -> list[dict]`.

    photos: whether it takes a folder of them; timed: whether it may be told how long to measure.
    """

    name: str
    title: str
    module: str
    function: str = "rows"
    photos: bool = False
    timed: bool = False

    def measure(self, photos: Path | None, seconds: float | None = None) -> list[Row]:
        """Return the rows, or one that says why there are none."""
        try:
            function: Callable[..., list[Row]] = getattr(importlib.import_module(self.module), self.function)
            arguments = [photos] if self.photos else [seconds] if self.timed and seconds is not None else []
            return [dict(row) for row in function(*arguments)]
        except PlatefleetError as error:
            return [{"skipped": str(error)}]


SECTIONS = (
    Section("detection", "Letterbox, decoding, suppression against ultralytics'", "platefleet.models.bench.detection"),
    Section("reading", "Labelled photos, read", "platefleet.models.bench.reading", photos=True),
    Section("latency", "Capture to decision over Mosquitto", "platefleet.deploy.bench.latency"),
    Section("outbox", "Appending to the outbox against a bare write and fdatasync", "platefleet.deploy.bench.outbox"),
    Section("ingest", "Ingest into PostgreSQL", "platefleet.deploy.bench.ingest", timed=True),
    Section("backlog", "20,000 records behind a cut, and fresh plates meanwhile", "platefleet.deploy.bench.backlog"),
    Section("matching", "Matching under simulated misreads", "platefleet.fleet.gate.bench"),
)
