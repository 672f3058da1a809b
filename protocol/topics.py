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
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.ids import NAME_PATTERN
from platefleet.protocol.messages import (
    Ack,
    Backfill,
    Beat,
    Envelope,
    Health,
    Host,
    Info,
    LivePlate,
    LiveStatus,
    Message,
    Presence,
    Progress,
)

ROOT = "alpr/1"
UpKind = Literal["plate", "fleet", "progress", "backfill", "presence", "info", "health"]
DownKind = Literal["command", "desired", "ack", "beat"]
Kind = Literal[UpKind, DownKind, "trust", "host"]
Role = Literal["agent", "gate", "ingest", "console"]
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


@dataclass(frozen=True, slots=True)
class Channel:
    """What travels on the topics of one kind, and how.

    senders, receivers: who; the broker's access rules say the same. retain: the broker keeps the newest for those who
    come later. will: the broker also says it for a sender that vanished. expiry_s: MQTT's message expiry in seconds,
    the broker's broom and no measure of age; None: none. says: one line for a person.
    """

    message: type[Message]
    senders: tuple[Role, ...]
    receivers: tuple[Role, ...]
    qos: Literal[0, 1]
    says: str
    retain: bool = False
    will: bool = False
    expiry_s: int | None = None


_EVERY: tuple[Role, ...] = ("agent", "gate")
_ALL: tuple[Role, ...] = get_args(Role)
TOPICS: Mapping[str, Channel] = MappingProxyType(
    {
        "plate": Channel(
            LivePlate, ("agent",), ("gate", "ingest"), 1, "a plate event young enough to act on", expiry_s=10
        ),
        "fleet": Channel(LiveStatus, ("agent",), ("console", "ingest"), 1, "a command's status, fresh", expiry_s=60),
        "progress": Channel(
            Progress, ("agent",), ("console",), 0, "how far a running command is, at most once a second"
        ),
        "backfill": Channel(
            Backfill, _EVERY, ("ingest",), 1, "records that the store does not have yet, and questions"
        ),
        "presence": Channel(Presence, _EVERY, _ALL, 1, "whether a client is there", retain=True, will=True),
        "info": Channel(Info, _EVERY, ("console",), 1, "what a client is", retain=True),
        "health": Channel(Health, _EVERY, ("console",), 0, "how a client is doing, every 30 s"),
        "command": Channel(Envelope, ("console",), ("agent",), 1, "a signed command or the cancelling of one"),
        "desired": Channel(Envelope, ("console",), ("agent",), 1, "the signed desired state", retain=True),
        "ack": Channel(Ack, ("ingest",), _EVERY, 1, "what the store has committed"),
        "beat": Channel(Beat, ("gate",), ("agent",), 0, "a gate's heartbeat, once a second"),
        "trust": Channel(Envelope, ("console",), _ALL, 1, "the trusted keys, signed by a root key", retain=True),
        "host": Channel(Host, ("ingest",), _ALL, 1, "whether an ingest worker commits", retain=True, will=True),
    }
)
"""DESIGN's table as data, by kind. A command's expiry is its own `not_after`, so none stands here."""


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


def address(kind: str) -> str:
    """Return the topic of `kind` with `{device}` or `{slot}` for the name in it, as documents write it.

    >>> address("plate"), address("host"), address("trust")
    ('alpr/1/{device}/up/plate', 'alpr/1/host/{slot}', 'alpr/1/trust')
    """
    if kind in UP:
        return f"{ROOT}/{{device}}/up/{kind}"
    if kind in DOWN:
        return f"{ROOT}/{{device}}/down/{kind}"
    return f"{ROOT}/host/{{slot}}" if kind == "host" else f"{ROOT}/{kind}"


def build(kind: str, client: str) -> str:
    """Return the topic of `kind` that belongs to `client`. Raises ProtocolError for a kind or a name that is none."""
    if kind in UP:
        return f"{ROOT}/{checked(client)}/up/{kind}"
    if kind in DOWN:
        return f"{ROOT}/{checked(client)}/down/{kind}"
    raise ProtocolError(f"{kind[:80]!a} is no topic of a client; there are {', '.join((*UP, *DOWN))}")


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
    raise ProtocolError(f"{kind[:80]!a} is no topic of a client; there are {', '.join((*UP, *DOWN))}")


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
