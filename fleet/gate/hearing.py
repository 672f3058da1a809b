"""From what came over the wire to announcements: checked, placed, and with the age that only this gate can tell."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

from platefleet.fleet.gate.facts import Announced, Rule
from platefleet.protocol import topics
from platefleet.protocol.age import Beats
from platefleet.protocol.codec import decode
from platefleet.protocol.delivery.frame import open_body, thaw
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import LivePlate, PlateEvent, Presence
from platefleet.protocol.session import Received

LOG = logging.getLogger(__name__)
Key = tuple[str, str]
"""(device, lane)."""


class Hearing:
    """Hears the devices that a gate serves. Owned by one thread.

    beats: when which beat was sent to which device. presence: what each device last said of itself.
    """

    def __init__(self, gate: str, rules: Mapping[Key, Rule], counts: Counter[str]) -> None:
        self.beats = {device: Beats() for device, _ in rules}
        self.presence = {device: "not heard of" for device, _ in rules}
        self._gate = gate
        self._rules = rules
        self._counts = counts
        self._told: set[str] = set()

    def announced(self, received: Received, now_mono_ns: int) -> tuple[Key, Announced] | None:
        """Return the lane and the announcement, or None for what is not for this gate; that is counted."""
        device = ""
        try:
            device = topics.parse(received.topic).client or ""
            if received.retained:
                # Nobody retains these; whoever does wants a barrier to open for what is past.
                self._counts["retained"] += 1
                return None
            beats = self.beats.get(device)
            if beats is None:
                self._counts["not served"] += 1
                return None
            live = decode(LivePlate, received.payload)
            event = open_body(thaw(live.record))
            if not isinstance(event, PlateEvent):
                raise ProtocolError(f"{received.topic}: a record that is no plate event")
        except ProtocolError as error:
            self._counts["malformed"] += 1
            if device not in self._told:
                self._told.add(device if device in self.beats else "")
                LOG.warning("%s; more of the kind is counted, not logged", error)
            return None
        if (device, event.lane) not in self._rules:
            self._counts["not served"] += 1
            return None
        return (device, event.lane), Announced(event, beats.age_ms(live, self._gate, now_mono_ns))

    def heard_presence(self, received: Received) -> tuple[str, Presence] | None:
        """Return who said what of itself, or None for what says nothing."""
        if not received.payload:
            return None
        try:
            client = topics.parse(received.topic).client or ""
            presence = decode(Presence, received.payload)
        except ProtocolError as error:
            self._counts["malformed"] += 1
            LOG.warning("%s", error)
            return None
        if client in self.beats:
            self.presence[client] = presence.state
        return client, presence
