"""Where the broker is, how to be let in, and the limits of one session."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from platefleet.protocol.errors import ConfigError


@dataclass(frozen=True)
class Names:
    """What the settings are called where a person changes them: sentences name them. tls: what turns it on."""

    host: str = "broker.host"
    port: str = "broker.port"
    tls: str = "[broker.tls]"
    ca_file: str = "broker.tls.ca_file"
    cert_file: str = "broker.tls.cert_file"
    key_file: str = "broker.tls.key_file"
    user: str = "broker.username and the password"


TOML = Names()
"""Of a settings file."""
OPTIONS = Names(
    "--broker", "--broker", "--tls", "--ca-file", "--cert-file", "--key-file", "--username and the password"
)
"""Of the commands that take a broker on the command line."""


@dataclass(frozen=True)
class Tls:
    """TLS to the broker; its host name is always checked against its certificate.

    ca_file: PEM of whoever signs the broker's certificate; None: the machine's own authorities.
    cert_file, key_file: PEM of this client's certificate and key, both or neither.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self, names: Names = TOML) -> ssl.SSLContext:
        """Return a context that checks chain and host name. Raises ConfigError for files that cannot be used."""
        if (self.cert_file is None) != (self.key_file is None):
            raise ConfigError(f"{names.cert_file} and {names.key_file} belong together; name both or neither.")
        try:
            context = ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"{names.ca_file}: {self.ca_file} cannot be read as PEM certificates ({error}); name the broker's CA."
            ) from error
        if self.cert_file is not None and self.key_file is not None:
            try:
                context.load_cert_chain(str(self.cert_file), str(self.key_file), password=lambda: "")
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(
                    f"{names.cert_file}, {names.key_file}: {self.cert_file} and {self.key_file} are no certificate "
                    f"with its unencrypted key ({error}); both must be PEM and belong together."
                ) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


@dataclass(frozen=True)
class Broker:
    """One MQTT 5 broker.

    keepalive_s: a link that answers nothing is given up after 1.5 times this; at least 1.
    connect_timeout_s: for the connection, the TLS handshake and the broker's first answer, each.
    backoff_s, backoff_most_s: full jitter between attempts: uniform in [0, min(most, backoff · 2ⁿ)].
    refused_most_s: the same for a broker that refuses this client (a wrong password does not mend in seconds).
    foreign_pause_s: mean pause after another machine turned up under this identity.
    in_flight: QoS 1 messages without the broker's acknowledgement; the broker's receive maximum may lower it.
    probe: measure on the first connection what the broker honours (`honours.py`). shared: shared subscriptions too.
    names: what these settings are called in sentences about them.
    """

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    keepalive_s: int = 15
    connect_timeout_s: float = 10.0
    backoff_s: float = 0.25
    backoff_most_s: float = 15.0
    refused_most_s: float = 60.0
    foreign_pause_s: float = 60.0
    in_flight: int = 20
    probe: bool = False
    shared: bool = False
    names: Names = field(default=TOML, repr=False)

    def __post_init__(self) -> None:
        if not self.host:
            raise ConfigError("broker.host: empty; name the broker's host.")
        if not 1 <= self.port <= 65535:
            raise ConfigError(f"broker.port: {self.port} is no port; 1 to 65535 would be right.")
        if not 1 <= self.keepalive_s <= 65535:
            raise ConfigError(f"broker.keepalive_s: {self.keepalive_s} cannot be used; 1 to 65535 would be right.")
        if not 1 <= self.in_flight <= 65535:
            raise ConfigError(f"broker.in_flight: {self.in_flight} cannot be used; 1 to 65535 would be right.")
        if self.password is not None and self.username is None:
            raise ConfigError("broker.password: given without broker.username; name both or neither.")
