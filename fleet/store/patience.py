"""Opening a database that may be away when a program begins."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from platefleet.fleet.store.errors import ForeignDatabase
from platefleet.protocol.backoff import Backoff
from platefleet.protocol.errors import StoreError

T = TypeVar("T")


def once_there(open_: Callable[[], T], stop: threading.Event, log: logging.Logger) -> T | None:
    """Return what `open_` returns, trying again while it raises StoreError; None when stopped meanwhile.

    What is wrong is logged when it changes. Raises ForeignDatabase and every other error: waiting does not mend them.
    """
    backoff = Backoff(0.5, 10.0)
    said = ""
    while not stop.is_set():
        try:
            return open_()
        except ForeignDatabase:
            raise
        except StoreError as error:
            if str(error) != said:
                said = str(error)
                log.error("%s (trying again)", said)
        stop.wait(0.25 + backoff.next_s())
    return None
