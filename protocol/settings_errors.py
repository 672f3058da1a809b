"""Settings from a TOML file; when they cannot be used: which key, what is wrong, what would be right."""

from __future__ import annotations

import datetime as dt
import difflib
import importlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from platefleet.protocol.errors import ConfigError
from platefleet.protocol.ids import NAME_PATTERN

_TOML: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
MOST_TOLD = 8
LIMIT_BYTES = 1 << 20
"""A settings file is written by a person; more than this is another file."""
_HEX = re.compile(r"\^\[0-9a-f\]\{(\d+)(?:,(\d+))?\}\$")
A_LIST = "a list, [ ]"
WANTED = {
    "int_": "a whole number",
    "float_": "a number",
    "bool_": "true or false",
    "string_type": "a text in quotes",
    "path_type": "a text in quotes",
    "list_type": A_LIST,
    "tuple_type": A_LIST,
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
"""What a key takes, by how the kind of pydantic's error begins."""

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
        return parse_toml(data.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: no TOML in UTF-8 ({error}); correct that place.") from error


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Return what TOML says. Raises ConfigError that names the line, for `source`."""
    try:
        settings: dict[str, Any] = _TOML.loads(text)
    except _TOML.TOMLDecodeError as error:
        raise ConfigError(f"{source}: no TOML in UTF-8 ({error}); correct that place.") from error
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
    """Return one sentence for each key that cannot be used, in one."""
    return _in_one(source, problems(error, model))


def refused(source: str, told: Sequence[str]) -> ConfigError:
    """Return the error for settings with these problems: in one sentence, and each for itself."""
    error = ConfigError(_in_one(source, told))
    error.problems = tuple(_ended(f"{source}: {each}") for each in told)
    return error


def _in_one(source: str, told: Sequence[str]) -> str:
    more = len(told) - MOST_TOLD
    return _ended(f"{source}: {'; '.join(told[:MOST_TOLD])}{f'; and {more} more' if more > 0 else ''}")


def _ended(sentence: str) -> str:
    """Return a sentence with its full stop; a question has its own end."""
    return sentence if sentence.endswith(("?", ".")) else f"{sentence}."


def problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return one line for each key that cannot be used: which, what is wrong, what would be right; never a secret."""
    told = []
    for one in error.errors(include_url=False):
        parts = [part for part in one["loc"] if not str(part).startswith("function-")]
        place, models = _walked(model, parts)
        wrong = _wrong(one, place, models)
        bare = not place and one["type"] == "value_error"
        told.append(wrong if bare else f"{key(place)}: {wrong}")
    return told


def problem(error: ValidationError, name: str) -> str:
    """Return what is wrong with one value, which has this name, and what would be right."""
    return _wrong(error.errors(include_url=False)[0], (name,), ())


def key(place: Sequence[int | str]) -> str:
    """Return a key as a person writes it.

    >>> key(("lanes", 0, "age_limit_ms"))
    'lanes[0].age_limit_ms'
    """
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "(the whole file)"


def _wrong(error: ErrorDetails, place: Sequence[Any], models: Sequence[type[BaseModel]]) -> str:
    """Return what is wrong with the key at `place`, whose table is one of `models`."""
    kind, said, value = error["type"], error["msg"], error["input"]
    if kind == "extra_forbidden":
        known = sorted({name for found in models for name in found.model_fields})
        near = difflib.get_close_matches(str(place[-1]), known, n=1)
        right = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known) or 'nothing'}"
        return f"there is no such key; {right}"
    if kind == "missing":
        return "missing; this key has to be set"
    if kind in {"union_tag_not_found", "union_tag_invalid"}:
        context = error["ctx"]
        name, tags = context["discriminator"].strip("'"), context.get("expected_tags", "")
        return f"{name} is {context['tag']!r}; one of {tags} would be right" if tags else f"{name} is missing; set it"
    if kind == "value_error":
        why = f"{error.get('ctx', {}).get('error', said)}"
        return why if isinstance(value, dict | list) or _is_secret(place) else f"{shown(value)} cannot be used: {why}"
    if kind == "string_pattern_mismatch" and error["ctx"]["pattern"] == NAME_PATTERN:
        return f"{shown(value)} cannot be used; letters, digits and . _ - (at most 64, no space) would be right"
    wanted = _wanted(error, place)
    said = f"{said[:1].lower()}{said[1:]}".replace("input should", "it should")
    right = f"{wanted} would be right" if wanted else said
    return f"{'this' if _is_secret(place) else shown(value)} cannot be used; {right}"


def _wanted(error: ErrorDetails, place: Sequence[Any]) -> str:
    """Return what the key at `place` takes, in our words; empty where pydantic's say it."""
    kind = error["type"]
    if kind == "is_instance_of" and error["ctx"]["class"] == "Path":
        return WANTED["path_type"]
    if kind == "string_pattern_mismatch":
        digits = _HEX.fullmatch(error["ctx"]["pattern"])
        return "" if digits is None else f"{' to '.join(each for each in digits.groups() if each)} digits of 0-9 a-f"
    wanted = next((words for begin, words in WANTED.items() if kind.startswith(begin)), "")
    if wanted == A_LIST and isinstance(error["input"], dict) and "[" not in key(place):
        return f"a list, [ ] or [[{key(place)}]] above each table,"
    return f"{wanted}{_unit(place, kind)}"


def _is_secret(place: Sequence[Any]) -> bool:
    """Whether what stands at a key may hold a password."""
    return bool(place) and str(place[-1]) in {"password", "url", "pipeline"}


def _unit(place: Sequence[Any], kind: str) -> str:
    """Return the unit that a key's last letters name, where a number is wanted and something else stands."""
    if not place or not kind.startswith(("float_", "int_")):
        return ""
    units = {"_s": "seconds", "_ms": "milliseconds", "_bytes": "bytes", "_px": "pixels"}
    name = str(place[-1])
    return next((f" of {unit}" for end, unit in units.items() if name.endswith(end) and "_per_" not in name), "")


def _walked(model: Any, parts: Sequence[Any]) -> tuple[list[Any], list[type[BaseModel]]]:
    """Return a key without the tags of unions in it, and the models that its table may be."""
    place: list[Any] = []
    models = table = _models(model)
    for part in parts:
        table = models
        if isinstance(part, str):
            fields = [found.model_fields[part].annotation for found in models if part in found.model_fields]
            tagged = [found for found in models if part in _tags(found)]
            if not fields and tagged:  # the member of a union, not a key
                models = table = tagged
                continue
            models = [found for field in fields for found in _models(field)]
        place.append(part)
    return place, table


def _tags(model: type[BaseModel]) -> set[str]:
    """Return what a model's `kind` may be, by which unions are told apart."""
    kind = model.model_fields.get("kind")
    return set(map(str, get_args(kind.annotation))) if kind is not None else set()


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models inside an annotation, containers and unions opened."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def shown(value: object) -> str:
    """Return a value as it may be shown: on one line, printable, at most 60 characters."""
    match value:
        case dict() | list():
            text = f"a {'table' if isinstance(value, dict) else 'list'}"
        case bool():
            text = str(value).lower()
        case dt.date() | dt.time():
            text = value.isoformat()
        case _:
            text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
