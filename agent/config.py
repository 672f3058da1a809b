"""Reads a device's settings: one TOML file, environment variables on top, every problem told at once.

`PLATEFLEET_BROKER__HOST=broker.example` sets `broker.host`; list places are numbers: `PLATEFLEET_LANES__0__NAME`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from platefleet.agent.cameras.secrets import hide
from platefleet.agent.settings.tree import Settings
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.settings_errors import parse_toml, problems, read_toml

PREFIX = "PLATEFLEET_"
OTHERS = frozenset({"PLATEFLEET_BROKER_PASSWORDS", "PLATEFLEET_BROKER_ACL"})
"""Of `platefleet fleet enroll`, on machines that run both."""
SECRETS = ("password",)


class ConfigProblems(ConfigError):
    """Settings that cannot be used. problems: one line each: which key, what is wrong, what would be right."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.problems = tuple(f"{source}: {problem}" for problem in problems)
        super().__init__(f"{source}: " + "; ".join(problems))


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Return the settings of a file with those of the environment on top.

    Raises ConfigProblems that names everything that is wrong, ConfigError for a file that cannot be read.
    """
    data = read_toml(path)
    in_clear = [f"{key}: stands in the file; {_instead(key)}" for key in _secrets_in(data)]
    merged, stray = overlaid(data, environ)
    try:
        settings = Settings.model_validate(merged, context={"folder": path.resolve().parent})
    except ValidationError as error:
        told = [hide(line) for line in problems(error, Settings)]
        raise ConfigProblems(str(path), in_clear + stray + told) from None
    if in_clear or stray:
        raise ConfigProblems(str(path), in_clear + stray)
    return settings


def overlaid(data: dict[str, Any], environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return the data with what the environment sets, and a sentence for each variable that names no place.

    A value is TOML where that makes a number, a truth or a list, and else text: a text that looks like one is quoted.

    >>> overlaid({"broker": {"host": "a"}}, {"PLATEFLEET_BROKER__PORT": "8883", "HOME": "/"})
    ({'broker': {'host': 'a', 'port': 8883}}, [])
    """
    merged = _copied(data)
    stray = []
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        parts = name.removeprefix(PREFIX).lower().split("__")
        if len(parts) > 1 or parts[0] in Settings.model_fields:
            if not _set(merged, parts, _value(parts[-1], environ[name])):
                stray.append(f"{name}: names no place in the settings; lists have places 0, 1, …, without a gap")
        elif name not in OTHERS and parts[0].split("_")[0] in Settings.model_fields:
            stray.append(f"{name}: names no setting; between table and key stand two underscores")
    return merged, stray


def password_of(settings: Settings) -> str | None:
    """Return the broker's password, from its file if it has one. Raises ConfigError if that cannot be read."""
    broker = settings.broker
    if broker.password_file is None:
        return None if broker.password is None else broker.password.get_secret_value()
    try:
        return broker.password_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"broker.password_file: {broker.password_file} cannot be read ({error}); check it") from error


def _value(key: str, text: str) -> Any:
    """Return what a variable's text means; a password is always text."""
    if key in SECRETS:
        return text
    with contextlib.suppress(ConfigError):
        value = parse_toml(f"value = {text}", "")["value"]
        if not isinstance(value, dict):
            return value
    return text


def _set(node: Any, parts: list[str], value: Any) -> bool:
    """Set a place in nested tables and lists; False if there is no such place."""
    for part, following in pairwise(parts):
        empty: Any = [] if following.isdigit() else {}
        if isinstance(node, list):
            if not part.isdigit() or int(part) > len(node):
                return False
            if int(part) == len(node):
                node.append(empty)
            node = node[int(part)]
        elif isinstance(node, dict):
            node = node.setdefault(part, empty)
        else:
            return False
    last = parts[-1]
    if isinstance(node, list) and last.isdigit() and int(last) <= len(node):
        node[int(last) : int(last) + 1] = [value]
        return True
    if isinstance(node, dict):
        node[last] = value
        return True
    return False


def _copied(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _copied(value) for key, value in node.items()}
    return [_copied(value) for value in node] if isinstance(node, list) else node


def _secrets_in(node: Any, place: str = "") -> list[str]:
    """Return the keys of a file that hold a password in the clear."""
    if isinstance(node, list):
        return [key for number, child in enumerate(node) for key in _secrets_in(child, f"{place}[{number}]")]
    if not isinstance(node, dict):
        return []
    found: list[str] = []
    for name, child in node.items():
        key = f"{place}.{name}" if place else name
        found += [key] if name in SECRETS else _secrets_in(child, key)
    return found


def _instead(key: str) -> str:
    variable = PREFIX + key.replace("[", "__").replace("]", "").replace(".", "__").upper()
    return f"name a file by {key}_file or set {variable}"
