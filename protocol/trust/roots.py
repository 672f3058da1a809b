"""The root keys: named in a device's own configuration, the one thing that it believes without being told.

They sign the trust and nothing else; any one of them suffices, so that a lost one can be replaced with the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from platefleet.protocol.errors import ConfigError
from platefleet.protocol.trust.public_key import PublicKey, parse_line

MOST = 8


@dataclass(frozen=True, slots=True)
class Roots:
    """One to eight root keys."""

    named: tuple[PublicKey, ...]

    @property
    def keys(self) -> Mapping[str, Ed25519PublicKey]:
        """Return what to verify a trust with, by key id."""
        return MappingProxyType({root.id: root.key for root in self.named})

    @property
    def warning(self) -> str:
        """Return one sentence if there is a single root, which nothing could replace; else an empty text."""
        if len(self.named) > 1:
            return ""
        return (
            f"only one root key is configured ({self.named[0].name}): if it is lost, every device has to be visited; "
            "make a second one with `platefleet keys new --root` and configure both."
        )


def roots(lines: Iterable[str], source: str = "trust.roots") -> Roots:
    """Return the root keys of these lines of text. Raises ConfigError that begins with `source`.

    >>> len(roots(["platefleet-root-key 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo= vault"]).warning) > 100
    True
    """
    named = tuple(parse_line(line, f"{source}[{at}]") for at, line in enumerate(lines))
    for at, root in enumerate(named):
        if root.kind != "root":
            raise ConfigError(f"{source}[{at}]: {root.name} is an operator's key; only root keys belong here.")
    if not 1 <= len(named) <= MOST:
        raise ConfigError(f"{source}: {len(named)} root keys; 1 to {MOST} would be right, 2 are recommended.")
    if len({root.id for root in named}) != len(named):
        raise ConfigError(f"{source}: a key stands there twice; each root needs a key of its own.")
    return Roots(named)
