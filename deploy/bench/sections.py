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
    """One table. module, function: who measures it, `() -> list[dict]`; photos: whether it takes a folder of them."""

    name: str
    title: str
    module: str
    function: str = "rows"
    photos: bool = False

    def measure(self, photos: Path | None) -> list[Row]:
        """Return the rows, or one that says why there are none."""
        try:
            function: Callable[..., list[Row]] = getattr(importlib.import_module(self.module), self.function)
            return [dict(row) for row in (function(photos) if self.photos else function())]
        except PlatefleetError as error:
            return [{"skipped": str(error)}]


SECTIONS = (
    Section("detection", "Letterbox, decoding, suppression against ultralytics'", "platefleet.models.bench.detection"),
    Section("reading", "Labelled photos, read", "platefleet.models.bench.reading", photos=True),
    Section("latency", "Capture to decision over Mosquitto", "platefleet.deploy.bench.latency"),
    Section("outbox", "Appending to the outbox against a bare write and fdatasync", "platefleet.deploy.bench.outbox"),
    Section("matching", "Matching under simulated misreads", "platefleet.fleet.gate.bench"),
)
