"""Writes `docs/settings.md` from the models themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from platefleet.agent.settings.cameras import FileCamera, FolderCamera, GstreamerCamera, RtspCamera, V4l2Camera
from platefleet.agent.settings.commands import CommandSettings, SpanSettings, WindowSettings
from platefleet.agent.settings.lanes import Lane
from platefleet.agent.settings.own_frames import OwnFrames
from platefleet.agent.settings.passes import Passes
from platefleet.agent.settings.tree import (
    BrokerSettings,
    ClockSettings,
    CropSettings,
    HealthSettings,
    ModelSettings,
    OutboxSettings,
    Settings,
    TlsSettings,
)
from platefleet.agent.settings.trial import TrialSettings

TABLES: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("The top of the file", "", Settings),
    ("`[broker]`", "broker", BrokerSettings),
    ("`[broker.tls]`", "broker.tls", TlsSettings),
    ("`[[lanes]]`", "lanes.0", Lane),
    ('`[lanes.camera]`, `kind = "rtsp"`', "lanes.0.camera", RtspCamera),
    ('`[lanes.camera]`, `kind = "file"`', "lanes.0.camera", FileCamera),
    ('`[lanes.camera]`, `kind = "folder"`', "lanes.0.camera", FolderCamera),
    ('`[lanes.camera]`, `kind = "v4l2"`', "lanes.0.camera", V4l2Camera),
    ('`[lanes.camera]`, `kind = "gstreamer"`', "lanes.0.camera", GstreamerCamera),
    ("`[models]`", "models", ModelSettings),
    ("`[passes]`", "passes", Passes),
    ("`[crops]`", "crops", CropSettings),
    ("`[outbox]`", "outbox", OutboxSettings),
    ("`[health]`", "health", HealthSettings),
    ("`[own_frames]`", "own_frames", OwnFrames),
    ("`[trial]`", "trial", TrialSettings),
    ("`[commands]`", "commands", CommandSettings),
    ("`[commands.window]`", "commands.window", WindowSettings),
    ("`[[commands.window.spans]]`", "commands.window.spans.0", SpanSettings),
    ("`[clock]`", "clock", ClockSettings),
)
_INTRO = """# Settings of the agent

Written by `make docs` from the models that check them. One TOML file, named by `--config`; an example is
`deploy/agent.example.toml`. `platefleet agent check --config FILE` says what is wrong with it, everything at once.

Each setting can also come from the environment, which counts more than the file: `PLATEFLEET_`, the table and the key
in capitals, two underscores between them (the last column). A lane is named by its place, the first is 0. A value is
written as in TOML; text needs no quotes unless it looks like something else. Passwords stand in a file or in the
environment, never in the settings file. Relative paths are taken from the settings file's folder.
"""


def settings_reference() -> str:
    """Return `docs/settings.md`."""
    lines = [_INTRO]
    for title, place, model in TABLES:
        lines += [f"## {title}", "", " ".join((model.__doc__ or "").split()), ""]
        lines += ["| key | what | value | default | environment |", "|---|---|---|---|---|"]
        lines += list(_rows(place, model))
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def variable(place: str, key: str) -> str:
    """Return the environment variable of a setting.

    >>> variable("broker", "port")
    'PLATEFLEET_BROKER__PORT'
    """
    return "PLATEFLEET_" + "__".join(filter(None, [*place.split("."), key])).upper()


def _rows(place: str, model: type[BaseModel]) -> Iterator[str]:
    for key, field in model.model_fields.items():
        name = "" if _is_table(field) else f"`{variable(place, key)}`"
        what = (field.description or "").replace("|", "\\|")
        yield f"| `{key}` | {what} | {_value(field)} | {_default(field)} | {name} |"


def _is_table(field: FieldInfo) -> bool:
    """Whether a field is a table or a list of tables, which variables fill key by key."""
    return any(isinstance(part, type) and issubclass(part, BaseModel) for part in _parts(field.annotation))


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield an annotation and everything in it."""
    yield annotation
    for argument in get_args(annotation):
        yield from _parts(argument)


def _value(field: FieldInfo) -> str:
    """Return what may stand there, in words."""
    bounds = [*_bounds(field.metadata)]
    return " ".join(filter(None, [_kind(field.annotation, bounds), ", ".join(bounds)]))


_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    Path: "path",
    SecretStr: "text, never shown",
    tuple: "list",
    dict: "table",
}


def _kind(annotation: Any, bounds: list[str]) -> str:
    """Return the word for a type, and add the limits that stand in it to `bounds`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds.extend(_bounds(annotation.__metadata__))
        return _kind(arguments[0], bounds)
    if origin is Literal:
        return " or ".join(f'`"{value}"`' for value in arguments)
    word = _WORDS.get(origin or annotation)
    if word is not None:
        return word
    kinds = [_kind(argument, bounds) for argument in arguments if argument is not type(None)]
    return " or ".join(dict.fromkeys(kinds)) or "table"


def _bounds(metadata: Any) -> Iterator[str]:
    """Yield the limits among a field's metadata."""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "multiple_of": "a multiple of"}
    for limit in metadata:
        inner = getattr(limit, "metadata", None)
        if inner:
            yield from _bounds(inner)
        for name, sign in signs.items():
            value = getattr(limit, name, None)
            if value is not None:
                yield f"{sign} {value}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default is PydanticUndefined or field.default is None:
        return ""
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, str):
        return f'`"{re.sub(r"[|`]", "", field.default)}"`'
    return "`[]`" if field.default == () else f"`{field.default}`"
