"""Whether times can be judged: the clock's own word, unless it is behind what was proven.

What proves a clock behind: the newest verified `issued_at`, and the last time at which it was good, both kept in the
journal. A clock that was set back would let ended keys sign again, and forgotten commands come twice.
"""

from __future__ import annotations

from collections.abc import Callable

from platefleet.agent.commands.journal import Journal
from platefleet.protocol.clock import SECOND_NS, Clock

FLOOR, ISSUED = "clock floor", "newest issued"
KEPT_NS = 600 * SECOND_NS
"""How often the time is written down while the clock is good."""
ALLOWED_NS = 300 * SECOND_NS
"""So far may an operator's clock have been ahead, or this one have been corrected."""


class Clockwork:
    """Any thread may ask; `note` and `keep` belong to the commands' thread."""

    def __init__(self, journal: Journal, clock: Clock, synced: Callable[[], bool]) -> None:
        self._journal, self._clock, self._synced = journal, clock, synced
        self._floor_ns = int(journal.meta(FLOOR) or 0)
        self._issued_ns = int(journal.meta(ISSUED) or 0)

    @property
    def good(self) -> bool:
        """Whether the clock is synchronised, and not behind what was proven."""
        return self._synced() and self._clock.now().utc_ns >= max(self._floor_ns, self._issued_ns) - ALLOWED_NS

    def now_utc_ns(self) -> int | None:
        """Return the time, UTC; None while nobody can say."""
        return self._clock.now().utc_ns if self.good else None

    @property
    def proven_ns(self) -> int:
        """The newest moment that somebody signed: nothing is forgotten that might still be sent again after it."""
        return self._issued_ns

    def note(self, issued_ns: int) -> None:
        """Take note of a verified `issued_at` that a good clock found no fault with. Raises JournalError."""
        if issued_ns > self._issued_ns:
            self._journal.remember({ISSUED: str(issued_ns)})
            self._issued_ns = issued_ns

    def keep(self) -> None:
        """Write down how late it is, now and then. Raises JournalError."""
        now_ns = self.now_utc_ns()
        if now_ns is not None and now_ns - self._floor_ns > KEPT_NS:
            self._journal.remember({FLOOR: str(now_ns)})
            self._floor_ns = now_ns
