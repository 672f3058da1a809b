"""What a person is told who asked something that has no answer."""

from __future__ import annotations

from platefleet.protocol.errors import StoreError


class Unanswerable(StoreError):
    """A question to the store that cannot be asked so, or that finds nothing."""
