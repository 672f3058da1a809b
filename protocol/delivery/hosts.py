"""Whether anybody commits, as the retained `host/{slot}` messages say it."""

from __future__ import annotations

from platefleet.protocol.messages import Host

MOST_SLOTS = 256


class Hosts:
    """The ingest workers heard of on this connection. One that was never heard of means nothing."""

    def __init__(self) -> None:
        self._committing: dict[str, bool] = {}
        self._births: dict[str, str] = {}

    def heard(self, host: Host) -> None:
        """Take a host message; a will of an incarnation that is not the last birth is stale and means nothing."""
        if host.slot not in self._committing and len(self._committing) >= MOST_SLOTS:
            return
        if host.committing:
            self._births[host.slot] = host.incarnation
        elif self._births.get(host.slot, host.incarnation) != host.incarnation:
            return
        self._committing[host.slot] = host.committing

    def forget(self) -> None:
        """Forget all: the broker tells what it holds on every connect."""
        self._committing.clear()
        self._births.clear()

    def nobody(self) -> bool:
        """Return whether somebody said that nobody commits, and nobody said the contrary."""
        return bool(self._committing) and not any(self._committing.values())
