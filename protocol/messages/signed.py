"""What the body of an envelope is, by the envelope's type."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from platefleet.protocol.messages.base import Message
from platefleet.protocol.messages.command import Cancel, Command
from platefleet.protocol.messages.desired import Desired
from platefleet.protocol.messages.envelope import SignedType
from platefleet.protocol.messages.trust import Trust

SIGNED: Mapping[SignedType, type[Message]] = MappingProxyType(
    {"command": Command, "cancel": Cancel, "desired": Desired, "trust": Trust}
)
