"""A device's disk before it is killed: two painted artifacts, one serving, one that served before, labelled frames."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from platefleet.models.artifacts.activation import Active, activated, confirmed
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.operations.port import Hosts
from tests.painted_models import SIZE, as_artifact, painted_model

FRAMES = 3


@dataclass(frozen=True)
class Site:
    """serves, served: keys of the active artifact and the one before. number: of the choice. fetch: for `fetch`."""

    folder: Path
    serves: str
    served: str
    number: int
    source: str
    artifacts: tuple[str, ...]
    id: str = ""
    payload: bytes = b""
    began_ns: int = 0
    hosts: Hosts = field(default_factory=Hosts)
    fetch: Mapping[str, Any] = field(default_factory=dict)

    def at(self, folder: Path, id_: str, payload: bytes, began_ns: int) -> Site:
        return replace(self, folder=folder, id=id_, payload=payload, began_ns=began_ns)


ARGUMENTS: dict[str, Callable[[Site], dict[str, Any]]] = {
    "activate": lambda site: {"role": "plate", "key": site.served},
    "benchmark": lambda _: {"role": "plate", "rounds": 3},
    "build": lambda site: {"role": "plate", "format": "onnx", "precision": "fp32", "size": SIZE, "source": site.source},
    "diagnose": lambda _: {},
    "evaluate": lambda site: {"role": "plate", "key": site.serves},
    "fetch": lambda site: dict(site.fetch),
    "prune": lambda _: {"keep": ("",)},
    "restart": lambda _: {},
    "rollback": lambda _: {"role": "plate"},
    "set-window": lambda _: {"zone": "Europe/Berlin", "spans": ("22:00-05:00",)},
    "snapshot": lambda _: {"lanes": ("in",)},
}
"""What each operation is told."""


def make_template(folder: Path) -> Site:
    """Make the disk that each device begins with."""
    folder.mkdir(parents=True)
    store = ArtifactStore(folder / "store")
    model = painted_model(folder / "painted.onnx", 2, "license_plate")
    first, other = (as_artifact(store, "plate", model, opset=opset) for opset in (17, 18))
    source = store.add_source("plate", model)
    store.choose("plate", lambda _: activated(None, first))
    store.choose("plate", lambda now: activated(now, other))
    now = store.choose("plate", lambda now: _there(confirmed, now, other.key))
    _frames(folder / "evaluation")
    return Site(folder, other.key, first.key, now.number, source, tuple(sorted((first.key, other.key))))


def _there(decide: Callable[[Active, str], Active], now: Active | None, key: str) -> Active:
    assert now is not None
    return decide(now, key)


def _frames(folder: Path) -> None:
    """Draw pictures with one blue plate each, and say where it is."""
    folder.mkdir()
    for number in range(FRAMES):
        picture = np.zeros((SIZE, SIZE, 3), np.uint8)
        left, top = 20 + 20 * number, 40
        picture[top : top + 20, left : left + 40] = (255, 0, 0)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
        middle = ((left + 20) / SIZE, (top + 10) / SIZE, 40 / SIZE, 20 / SIZE)
        (folder / f"{number}.txt").write_text(" ".join(["0", *(f"{share:.6f}" for share in middle)]) + "\n")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
