"""Retention beside a running ingest: once an hour, on a thread of its own."""

from __future__ import annotations

import logging
import threading

from platefleet.fleet.retention.run import let_go
from platefleet.fleet.retention.settings import Retention
from platefleet.fleet.store.database import Database
from platefleet.protocol.clock import Clock
from platefleet.protocol.errors import StoreError

LOG = logging.getLogger(__name__)
EVERY_S = 3600.0
FIRST_S = 60.0
"""After a start devices fill in what the store lacks; that comes first."""


class PeriodicRetention:
    """Lets go of what is too old every hour until `stop`. A store that is away is tried again the next time."""

    def __init__(
        self,
        database: Database,
        retention: Retention,
        *,
        clock: Clock,
        first_s: float = FIRST_S,
        every_s: float = EVERY_S,
    ) -> None:
        self._database, self._retention, self._clock = database, retention, clock
        self._first_s, self._every_s = first_s, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Begin. Returns at once."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """End after the transaction that is under way."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        wait_s = self._first_s
        while not self._stop.wait(wait_s):
            wait_s = self._every_s
            try:
                count = let_go(self._database, self._retention, clock=self._clock, stop=self._stop)
            except StoreError as error:
                LOG.warning("retention: %s (trying again in %d minutes)", error, self._every_s // 60)
                continue
            except Exception:  # a bug; ingest goes on, and so does the next hour
                LOG.exception("retention: a fault of this program; going on")
                continue
            if count:
                LOG.info("retention: let go of %d records", count)
