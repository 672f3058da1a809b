"""What a person is told whose key or trust file cannot be used."""

from __future__ import annotations

from platefleet.protocol.errors import PlatefleetError


class KeyringError(PlatefleetError):
    """A key, a trust file or a change to it that cannot be; the trust is as it was."""
