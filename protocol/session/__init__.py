"""One MQTT 5 session over paho: settings, events and the session itself."""

from platefleet.protocol.session.events import (
    NO_SUBSCRIBER,
    Connected,
    Disconnected,
    Event,
    ForeignIncarnation,
    Published,
    Received,
    Refused,
    SessionHealth,
)
from platefleet.protocol.session.presence import Announcement, host_of, presence_of
from platefleet.protocol.session.run import Session
from platefleet.protocol.session.settings import OPTIONS, Broker, Names, Tls

__all__ = [
    "NO_SUBSCRIBER",
    "OPTIONS",
    "Announcement",
    "Broker",
    "Connected",
    "Disconnected",
    "Event",
    "ForeignIncarnation",
    "Names",
    "Published",
    "Received",
    "Refused",
    "Session",
    "SessionHealth",
    "Tls",
    "host_of",
    "presence_of",
]
