"""Every topic of the wire: how it is built, how it is taken apart, and what travels on it.

An id is checked before it becomes part of a topic: nothing that holds `/`, `+`, `#`, white space or a control character
can name a client, so no client can speak in another's name by choosing its own.

>>> plate("north-1")
'alpr/1/north-1/up/plate'
>>> parse("alpr/1/north-1/up/plate")
Topic(kind='plate', client='north-1', slot=None)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.ids import NAME_PATTERN

ROOT = "alpr/1"
UpKind = Literal["plate", "fleet", "progress", "backfill", "presence", "info", "health"]
DownKind = Literal["command", "desired", "ack", "beat"]
Kind = Literal[UpKind, DownKind, "trust", "host"]
UP: tuple[str, ...] = get_args(UpKind)
DOWN: tuple[str, ...] = get_args(DownKind)
_NAME = re.compile(NAME_PATTERN.removesuffix("$") + r"\Z")
"""`$` would let a trailing line break through."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic taken apart: the client that it belongs to, or the ingest slot, or neither for `trust`."""

    kind: str
    client: str | None = None
    slot: str | None = None


def checked(name: str) -> str:
    """Return `name` if it can stand in a topic. Raises ProtocolError otherwise.

    >>> checked("a/b")
    Traceback (most recent call last):
    platefleet.protocol.errors.ProtocolError: 'a/b' is no name of a client: 1 to 64 of A-Z a-z 0-9 . _ -
    """
    if not _NAME.match(name):
        shown = ascii(name if len(name) <= 80 else name[:80] + "…")
        raise ProtocolError(f"{shown} is no name of a client: 1 to 64 of A-Z a-z 0-9 . _ -")
    return name


def build(kind: str, client: str) -> str:
    """Return the topic of `kind` that belongs to `client`. Raises ProtocolError for a kind or a name that is none."""
    if kind in UP:
        return f"{ROOT}/{checked(client)}/up/{kind}"
    if kind in DOWN:
        return f"{ROOT}/{checked(client)}/down/{kind}"
    raise ProtocolError(f"{kind!r} is no topic of a client; there are {', '.join((*UP, *DOWN))}")


def plate(client: str) -> str:
    """Return the topic of live plate events."""
    return build("plate", client)


def fleet(client: str) -> str:
    """Return the topic of live command statuses."""
    return build("fleet", client)


def progress(client: str) -> str:
    """Return the topic of a running command's progress."""
    return build("progress", client)


def backfill(client: str) -> str:
    """Return the topic of records that the store does not have yet."""
    return build("backfill", client)


def presence(client: str) -> str:
    """Return the topic of a client's presence."""
    return build("presence", client)


def info(client: str) -> str:
    """Return the topic of what a client is."""
    return build("info", client)


def health(client: str) -> str:
    """Return the topic of how a client is doing."""
    return build("health", client)


def command(client: str) -> str:
    """Return the topic of commands to a client."""
    return build("command", client)


def desired(client: str) -> str:
    """Return the topic of a client's desired state."""
    return build("desired", client)


def ack(client: str) -> str:
    """Return the topic of what the store has of a client's records."""
    return build("ack", client)


def beat(client: str) -> str:
    """Return the topic of the gates' heartbeats to a client."""
    return build("beat", client)


def trust() -> str:
    """Return the topic of the keys that are trusted."""
    return f"{ROOT}/trust"


def host(slot: str) -> str:
    """Return the topic on which one ingest worker says whether it commits."""
    return f"{ROOT}/host/{checked(slot)}"


def every(kind: str) -> str:
    """Return the filter for `kind` of every client.

    >>> every("plate")
    'alpr/1/+/up/plate'
    """
    if kind in UP or kind in DOWN:
        return f"{ROOT}/+/{'up' if kind in UP else 'down'}/{kind}"
    raise ProtocolError(f"{kind!r} is no topic of a client; there are {', '.join((*UP, *DOWN))}")


def every_plate() -> str:
    """Return the filter for the plate events of every device."""
    return every("plate")


def every_host() -> str:
    """Return the filter for every ingest worker."""
    return f"{ROOT}/host/+"


def shared(group: str, topic_filter: str) -> str:
    """Return the shared form of a filter: each message goes to one of the group.

    >>> shared("ingest", every("backfill"))
    '$share/ingest/alpr/1/+/up/backfill'
    """
    return f"$share/{checked(group)}/{topic_filter}"


def parse(topic: str) -> Topic:
    """Take a topic apart. Raises ProtocolError for everything that `build`, `trust` and `host` would not write."""
    parts = topic.split("/") if len(topic) <= 256 else []
    match parts:
        case ["alpr", "1", "trust"]:
            return Topic("trust")
        case ["alpr", "1", "host", slot] if _NAME.match(slot):
            return Topic("host", slot=slot)
        case ["alpr", "1", client, "up", kind] if kind in UP and _NAME.match(client):
            return Topic(kind, client=client)
        case ["alpr", "1", client, "down", kind] if kind in DOWN and _NAME.match(client):
            return Topic(kind, client=client)
    raise ProtocolError(f"{topic[:80]!a} is no topic of the wire, version 1")
