"""The digest that names weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

from platefleet.models.errors import WeightsError


def check_digest(weights: bytes, sha256: str | None, path: Path) -> None:
    """Raise WeightsError if a digest is asked for and `weights` have another; `path` is for the sentence."""
    if sha256 is None:
        return
    found = hashlib.sha256(weights).hexdigest()
    if found != sha256.lower():
        raise WeightsError(f"{path}: its SHA-256 is {found}, not the pinned {sha256}; delete it and fetch it again")
