"""The generated parts of `docs/conformance.md`: its tables of points, written by `make docs`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from platefleet.fleet.conformance.controller.points import names as controller_names
from platefleet.fleet.conformance.controller.points import points as controller_points
from platefleet.fleet.conformance.ingest.points import names as ingest_names
from platefleet.fleet.conformance.ingest.points import points as ingest_points

PATH = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
_LIMIT_MS = 5000


def document() -> str:
    """Return `docs/conformance.md` with its tables as they are now."""
    text = PATH.read_text(encoding="utf-8")
    for name, part in tables().items():
        text = re.sub(
            rf"(<!-- {name}: begin[^\n]*-->\n).*?(<!-- {name}: end -->)",
            lambda found, part=part: f"{found[1]}{part}\n{found[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
    return text


def tables() -> dict[str, str]:
    """Return the table of points of each kind, as Markdown."""
    return {
        "controller": _table(controller_names(), {p.name: p.needs for p in controller_points(_LIMIT_MS)}),
        "ingest": _table(ingest_names(), {p.name: p.needs for p in ingest_points()}),
    }


def _table(names: Mapping[str, str], needs: Mapping[str, frozenset[str]]) -> str:
    rows = [f"| `{name}` | {why} | {', '.join(sorted(needs.get(name, ())))} |" for name, why in names.items()]
    return "\n".join(["| point | why it matters | needs |", "|---|---|---|", *rows])
