"""Settings from a TOML file; when they cannot be used: which key, what is wrong, what would be right."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from platefleet.protocol.errors import ConfigError

_TOML: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
MOST_TOLD = 8
LIMIT_BYTES = 1 << 20
"""A settings file is written by a person; more than this is another file."""

S = TypeVar("S", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds. Raises ConfigError if it cannot be read, is too large or is no TOML."""
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name a settings file that is there.") from error
    if len(data) > LIMIT_BYTES:
        raise ConfigError(f"{path}: larger than {LIMIT_BYTES} bytes; name a settings file.")
    try:
        settings: dict[str, Any] = _TOML.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, _TOML.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: no TOML in UTF-8 ({error}); correct that place.") from error
    return settings


def checked(model: type[S], data: dict[str, Any], source: str) -> S:
    """Return the settings that `data` holds. Raises ConfigError that names every key that cannot be used, up to eight.

    source: where the settings come from, for the sentence (a path).
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(explained(error, model, source)) from error


def explained(error: ValidationError, model: type[BaseModel], source: str) -> str:
    """Return one sentence for each key that cannot be used."""
    told = []
    for one in error.errors(include_url=False)[:MOST_TOLD]:
        place = tuple(part for part in one["loc"] if not str(part).startswith("function-"))
        told.append(f"{key(place)}: {_wrong(one, place, model)}")
    more = error.error_count() - len(told)
    return f"{source}: {'; '.join(told)}{f'; and {more} more' if more > 0 else ''}."


def key(place: Sequence[int | str]) -> str:
    """Return a key as a person writes it.

    >>> key(("lanes", 0, "age_limit_ms"))
    'lanes[0].age_limit_ms'
    """
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "(the whole file)"


def _wrong(error: ErrorDetails, place: Sequence[Any], model: Any) -> str:
    kind, said, value = error["type"], error["msg"], error["input"]
    if kind == "extra_forbidden":
        known = _known(model, place[:-1])
        near = difflib.get_close_matches(str(place[-1]), known, n=1)
        right = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(sorted(known)) or 'nothing'}"
        return f"there is no such key; {right}"
    if kind == "missing":
        return "missing; this key has to be set"
    if kind == "value_error":
        return f"{shown(value)} cannot be used: {error.get('ctx', {}).get('error', said)}"
    return f"{shown(value)} cannot be used; {said[:1].lower()}{said[1:]}".replace("input should", "it should")


def _known(model: Any, place: Sequence[Any]) -> list[str]:
    """Return the keys that the table at `place` may have."""
    for part in place:
        models = _models(model)
        if isinstance(part, str):
            fields = [m.model_fields[part].annotation for m in models if part in m.model_fields]
            # Another string names an entry of a table of tables, or the member of a union: the model stays the same.
            model = fields[0] if fields else model
    return sorted({name for found in _models(model) for name in found.model_fields})


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models inside an annotation, containers and unions opened."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def shown(value: object) -> str:
    """Return a value as it may be shown: on one line, printable, at most 60 characters."""
    text = ascii(value) if not isinstance(value, dict | list) else f"a {'table' if isinstance(value, dict) else 'list'}"
    return text if len(text) <= 60 else text[:57] + "..."
