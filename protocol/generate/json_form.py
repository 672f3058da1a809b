"""How a message stands in JSON beside its bytes."""

from __future__ import annotations

import base64
import json
from typing import Any

from platefleet.protocol.messages import Message


def json_form(message: Message) -> Any:
    """Return what `json.dumps` writes of a message: wire names, fields that are None left out, bytes as base64.

    >>> from platefleet.protocol.messages import Beat
    >>> json_form(Beat(gate="gate-1", n=7))
    {'version': 1, 'gate': 'gate-1', 'n': 7}
    """
    return _plain(message.model_dump(by_alias=True, exclude_none=True))


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(inside) for key, inside in value.items()}
        case tuple() | list():
            return [_plain(inside) for inside in value]
        case bytes():
            return base64.b64encode(value).decode("ascii")
    return value


def written(document: Any) -> str:
    """Return the text of a JSON document: indented, as UTF-8, with a line end."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
