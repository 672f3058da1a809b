"""The checked-in vectors, and values that MessagePack can hold, for tests of whatever hears the wire."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from platefleet.protocol.generate.schemas import messages
from platefleet.protocol.messages import Message

GENERATED = Path(__file__).resolve().parent.parent / "protocol" / "generated"
KINDS: dict[str, type[Message]] = {kind.__name__: kind for kind in messages()}


def vectors(name: str) -> Any:
    """Return `protocol/generated/vectors/<name>.json`."""
    return json.loads((GENERATED / "vectors" / f"{name}.json").read_text(encoding="utf-8"))


def every_message() -> list[tuple[type[Message], str, bytes]]:
    """(kind, name, bytes) of every valid vector."""
    return [
        (kind, vector["name"], bytes.fromhex(vector["hex"]))
        for name, kind in KINDS.items()
        for vector in vectors(name)["vectors"]
    ]


def bytes_of(vector: dict[str, Any]) -> bytes:
    """`hex`, and the zero bytes that follow."""
    return bytes.fromhex(vector["hex"]) + bytes(vector.get("zeros", 0))


SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=8), inside, max_size=4),
    max_leaves=12,
)
