"""The generated parts of `docs/gate.md`: between its markers, written by `make docs`, checked by `make docs-check`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from platefleet.fleet.gate import bench
from platefleet.fleet.gate.lane_settings import HeldSettings, LaneSettings, PassbackSettings
from platefleet.fleet.gate.settings import (
    AlarmSettings,
    AllowListSettings,
    BrokerSettings,
    CommandOutput,
    GateSettings,
    GpioOutput,
    HttpOutput,
    LookAlikes,
    MatchingSettings,
    OutboxSettings,
    TlsSettings,
)

PATH = Path(__file__).resolve().parents[2] / "docs" / "gate.md"
TABLES: tuple[tuple[str, type[BaseModel]], ...] = (
    ("", GateSettings),
    ("broker.", BrokerSettings),
    ("broker.tls.", TlsSettings),
    ("allow_list.", AllowListSettings),
    ("matching.", MatchingSettings),
    ("matching.look_alikes[].", LookAlikes),
    ("lanes[].", LaneSettings),
    ("lanes[].held[].", HeldSettings),
    ("passback.", PassbackSettings),
    ("outbox.", OutboxSettings),
    ("alarm.", AlarmSettings),
    ("outputs.NAME. (command) ", CommandOutput),
    ("outputs.NAME. (http) ", HttpOutput),
    ("outputs.NAME. (gpio) ", GpioOutput),
)


def document() -> str:
    """Return `docs/gate.md` with its generated parts as they are now."""
    text = PATH.read_text(encoding="utf-8")
    for name, part in (("settings", settings_table()), ("matcher", bench.table())):
        text = re.sub(
            rf"(<!-- {name}: begin[^\n]*-->\n).*?(<!-- {name}: end -->)",
            lambda found, part=part: f"{found[1]}{part}\n{found[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
    return text


def settings_table() -> str:
    """Return every setting as Markdown."""
    return "\n".join(["| key | meaning | default |", "|---|---|---|", *(_row(*row) for row in settings())])


def settings() -> Iterator[tuple[str, str, str]]:
    """Yield key, meaning and default of every setting that is no table of its own."""
    for prefix, model in TABLES:
        for name, field in model.model_fields.items():
            if field.description is None:
                continue
            required = field.is_required()
            default = "required" if required else _shown(field.default)
            yield f"{prefix}{name}", field.description, default


def _row(key: str, meaning: str, default: str) -> str:
    return f"| `{key}` | {meaning.replace('|', chr(92) + '|')} | {default} |"


def _shown(value: Any) -> str:
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if not isinstance(value, str) else f'`"{value}"`'
