"""What this program already wrote of devices' clocks, so that a commit writes what is new alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from platefleet.fleet.store.merging import Boot, Offset, offsets, worth_writing
from platefleet.fleet.store.port import Arrival

BOOTS_KEPT = 10_000
COMMITS_BELIEVED = 1_000
"""Then everything is written again: somebody may have restored an older copy of the database meanwhile."""


class KnownClocks:
    """The newest offsets that were committed; bounded, the oldest is forgotten first and then written again."""

    def __init__(self) -> None:
        self._known: dict[Boot, Offset] = {}
        self._commits = 0

    def news(self, arrivals: Iterable[Arrival]) -> dict[Boot, Offset]:
        """Return what the arrivals tell beyond what is known, in the order of its names."""
        return {
            boot: offset for boot, offset in offsets(arrivals).items() if worth_writing(self._known.get(boot), offset)
        }

    def committed(self, news: Mapping[Boot, Offset]) -> None:
        """Take what is durable now."""
        self._commits += 1
        if self._commits % COMMITS_BELIEVED == 0:
            self._known.clear()
        for boot, offset in news.items():
            self._known.pop(boot, None)
            self._known[boot] = offset
        while len(self._known) > BOOTS_KEPT:
            del self._known[next(iter(self._known))]

    def forget(self) -> None:
        """Forget everything: the database may be another copy of itself."""
        self._known.clear()
