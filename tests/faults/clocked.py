"""A program's wall clock, stepped through a control file of libfaketime while its other clocks go on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.prerequisites import faketime

FAKETIME = faketime()


@dataclass
class Clocked:
    """The clock of one program, by the file that steps it."""

    path: Path

    def environment(self) -> dict[str, str]:
        """Return what the program is started with; its clock is right then."""
        self.path.write_text("+0\n")
        if FAKETIME is None:
            return {}
        return {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds: int) -> None:
        """Set the clock; in one write, as the program may read at any time."""
        part = self.path.with_suffix(".part")
        part.write_text(f"{seconds:+d}\n")
        part.replace(self.path)
