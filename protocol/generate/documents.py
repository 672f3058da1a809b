"""Every generated document, with the function that writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from platefleet.protocol.generate import reference, refusals, vectors
from platefleet.protocol.generate.asyncapi import asyncapi
from platefleet.protocol.generate.json_form import written
from platefleet.protocol.generate.schemas import messages, schema

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
GENERATED = ROOT / "protocol" / "generated"


def documents() -> Mapping[Path, Callable[[], str]]:
    """Return each document's place in the checkout with the function that returns its text."""
    made: dict[Path, Callable[[], str]] = {
        ROOT / "docs" / "protocol.md": reference.page,
        GENERATED / "asyncapi.yaml": asyncapi,
    }
    for kind in messages():
        made[GENERATED / "schemas" / f"{kind.__name__}.json"] = partial(_json, partial(schema, kind))
        made[GENERATED / "vectors" / f"{kind.__name__}.json"] = partial(_json, partial(vectors.of_message, kind))
    others: dict[str, Callable[[], Any]] = {
        "accepted": vectors.accepted,
        "refused": refusals.messages,
        "records": vectors.records,
        "refused-records": refusals.frames,
        "envelopes": vectors.signatures,
        "ages": vectors.ages,
        "topics": vectors.names,
    }
    return made | {GENERATED / "vectors" / f"{name}.json": partial(_json, write) for name, write in others.items()}


def _json(document: Callable[[], Any]) -> str:
    return written(document())
