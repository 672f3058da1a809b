"""From a device's settings to its broker."""

from __future__ import annotations

from platefleet.agent.config import password_of
from platefleet.agent.settings.tree import Settings
from platefleet.protocol.session import Broker, Tls


def broker_of(settings: Settings) -> Broker:
    """Return how to reach the broker. Raises ConfigError if the password cannot be read."""
    broker, tls = settings.broker, settings.broker.tls
    return Broker(
        broker.host,
        broker.port,
        username=broker.username,
        password=password_of(settings),
        tls=None if tls is None else Tls(tls.ca_file, tls.cert_file, tls.key_file),
        keepalive_s=broker.keepalive_s,
        probe=broker.probe,
    )
