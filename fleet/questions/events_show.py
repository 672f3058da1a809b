"""One event as a person and as a program read it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from platefleet.fleet.questions.clocks import stamp_of, when
from platefleet.fleet.questions.moments import in_utc, in_zone
from platefleet.fleet.questions.sheets import Head, Row

HEADS = (
    Head("captured", 27),
    Head("device", 16),
    Head("lane", 10, spare=True),
    Head("plate", 12),
    Head("least", 5, right=True, spare=True),
    Head("direction", 11, spare=True),
    Head("what is known", 22, least=14),
    Head("pass", 36, spare=True),
)
NAMES = (
    "captured", "captured_sure", "captured_utc_ns", "first_seen", "received", "device", "lane", "plate", "unread",
    "mean", "minimum", "direction", "vehicle", "pass", "revision", "final", "interrupted", "frames", "epoch", "seq",
)  # fmt: skip
PICTURES = ("plate_picture", "vehicle_picture")
"""Where the pictures were written, if they were asked for."""


def as_row(found: Mapping[str, Any], pictures: Mapping[str, str] | None = None) -> dict[str, object]:
    """Return an event under the names that programs know. pictures: path by name, where they were asked for."""
    offset = found["utc_minus_mono_ns"]
    captured = when(stamp_of(found, "captured"), offset)
    same_boot = found["first_seen_boot"] == found["captured_boot"]
    first_seen = when(stamp_of(found, "first_seen"), offset if same_boot else None)
    row: dict[str, object] = {
        "captured": in_utc(captured.utc_ns),
        "captured_sure": captured.sure,
        "captured_utc_ns": captured.utc_ns,
        "first_seen": in_utc(first_seen.utc_ns),
        "received": in_utc(found["received_utc_ns"]),
        "plate": found["text"],
        "final": bool(found["final"]),
        "interrupted": bool(found["interrupted"]),
        "mean": round(found["mean"], 4),
        "minimum": round(found["minimum"], 4),
    }
    row |= {name: found[name] for name in NAMES if name not in row}
    ordered = {name: row[name] for name in NAMES}
    return ordered if pictures is None else ordered | {name: pictures.get(name) for name in PICTURES}


def as_cells(found: Mapping[str, Any]) -> Sequence[str]:
    """Return an event for the columns of `HEADS`."""
    captured = when(stamp_of(found, "captured"), found["utc_minus_mono_ns"])
    return (
        in_zone(captured.utc_ns) if captured.sure else f"≤ {in_zone(found['received_utc_ns'])}",
        found["device"],
        found["lane"],
        found["text"] or "–",
        f"{found['minimum']:.2f}" if found["text"] else "",
        found["direction"],
        _known(found),
        found["pass"],
    )


def _known(found: Row) -> str:
    """Return what kind of revision it is, in words.

    >>> _known({"revision": 2, "final": True, "interrupted": False, "unread": "illegible"})
    'final, illegible'
    >>> _known({"revision": 2, "final": False, "interrupted": False, "unread": None})
    'revision 2'
    """
    kind = "interrupted" if found["interrupted"] else "final" if found["final"] else f"revision {found['revision']}"
    return f"{kind}, {found['unread']}" if found["unread"] and found["unread"] != kind else kind
