"""On what terms an operation is carried out, by its name: for the desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from platefleet.models.operations import operations
from platefleet.models.operations.reading import arguments_of, terms_of
from platefleet.protocol.commands.order import Terms
from platefleet.protocol.errors import ProtocolError


def terms(operation: str, arguments: Mapping[str, Any]) -> Terms:
    """Return the terms of an operation by its name; of one that this release does not know, harmless ones."""
    known = operations().get(operation)
    if known is None:
        return Terms("light", "")
    try:
        return terms_of(known, arguments_of(known, arguments))
    except ProtocolError:
        return Terms("light", "")
