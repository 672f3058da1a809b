"""Whose day a frame is that a device kept of its own: for evaluation or for calibration, never for both.

A car stands in many frames of one day and in none of another, so two uses that share no day share no car.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from platefleet.models.errors import ArtifactError

Use = Literal["evaluation", "calibration"]
CALIBRATION_DAYS = 3
"""One day of so many is for calibration."""
_NAMED = re.compile(r"(\d{4}-\d\d-\d\d)T\d\d-\d\d-\d\d\.\d{3}Z_.+\.jpg")


def use_of(day: str) -> Use:
    """Return what a day's frames are for. Every device says the same, so no day is ever used for both.

    >>> [use_of(f"2026-11-{day}") for day in (22, 23, 24)]
    ['evaluation', 'calibration', 'evaluation']
    """
    number = int.from_bytes(hashlib.sha256(day.encode()).digest()[:8], "big")
    return "calibration" if number % CALIBRATION_DAYS == 0 else "evaluation"


def day_of(name: str) -> str | None:
    """Return the day of a frame that an agent kept, None for any other picture.

    >>> day_of("2026-11-25T11-00-00.123Z_entry_hard.jpg"), day_of("photo.jpg")
    ('2026-11-25', None)
    """
    found = _NAMED.fullmatch(name)
    return found[1] if found else None


def held(folder: Path, into: Path) -> Path:
    """Link the pictures of a folder into a new one, so that they stay while they are looked at.

    The agent lets old ones go at any time; what goes meanwhile is left out. Raises ArtifactError for a folder that is
    not there, or a disk that fails.
    """
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: no such folder; the agent keeps frames of its own where `models.store` is set")
    try:
        into.mkdir()
        for path in folder.glob("*.jpg"):
            with contextlib.suppress(FileNotFoundError):
                _link(path, into / path.name)
    except OSError as error:
        raise ArtifactError(f"{into}: {error.strerror or error}; check the disk") from error
    return into


def _link(path: Path, target: Path) -> None:
    """Link a file, or copy it where the two lie on different disks."""
    try:
        target.hardlink_to(path)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(path, target)


def check_days(paths: Iterable[Path], use: Use) -> None:
    """Raise ArtifactError if one of the pictures is a device's own frame of a day that is for the other use."""
    wrong = [path for path in paths if (day := day_of(path.name)) is not None and use_of(day) != use]
    if wrong:
        raise ArtifactError(
            f"{wrong[0].parent}: {len(wrong)} of these pictures are own frames of days that are not for {use} "
            f"({wrong[0].name}, …); the agent keeps those that are in a folder of that name"
        )
