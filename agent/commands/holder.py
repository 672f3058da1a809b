"""The commands of an agent that must work without them: opened at its start, or as soon as the journal can be.

A journal that cannot be opened (a full disk, one that is read-only) is told in health, and tried again; the barrier
does not notice. What comes meanwhile is dropped: the console sends until a status comes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from platefleet.agent.commands.assembly import Parts
from platefleet.agent.commands.journal import JournalError
from platefleet.agent.figures import Figures
from platefleet.agent.lane import Worked
from platefleet.protocol.messages import Info
from platefleet.protocol.session import Received

LOG = logging.getLogger(__name__)
AGAIN_S = 30.0


class Holder:
    """Any thread may call; `run` is a worker of the supervisor."""

    def __init__(self, make: Callable[[], Parts], figures: Figures, opened: Callable[[], None]) -> None:
        """make: opens the commands; raises JournalError. opened: called when that was possible only later."""
        self._make, self._figures, self._opened = make, figures, opened
        self._parts: Parts | None = None
        self._open()

    def watch(self, worked: Worked) -> None:
        """Show every picture that was worked through to those who look; an observer of every lane."""
        parts = self._parts
        for observer in parts.observers if parts is not None else ():
            observer(worked)

    def on_message(self, received: Received) -> None:
        """Take a message; never blocks."""
        if self._parts is not None:
            self._parts.on_message(received)
        else:
            self._figures.count("commands_dropped")

    def completed(self, info: Info) -> Info:
        """Return the device's info with what its commands know; without any install where they are not open."""
        return info.model_copy(update={"install": ""}) if self._parts is None else self._parts.completed(info)

    def run(self, stop: threading.Event, alive: Callable[[], None]) -> None:
        """Open them if that is still to be done, then carry out what is asked for, until `stop`."""
        while self._parts is None and not stop.wait(1.0):
            for _ in range(int(AGAIN_S)):
                alive()
                if stop.wait(1.0):
                    return
            if self._open():
                LOG.info("the journal of commands is open now")
                self._opened()
        if self._parts is not None:
            self._parts.run(stop, alive)

    def wake(self) -> None:
        """Have the thread look at once whether it has to stop."""
        if self._parts is not None:
            self._parts.commands.wake()

    def close(self) -> None:
        """Close the journal."""
        if self._parts is not None:
            self._parts.journal.close()

    def _open(self) -> bool:
        try:
            self._parts = self._make()
        except JournalError as error:
            if self._figures.trouble("journal", f"this device takes no commands: {error}"[:512]):
                LOG.error("%s", error)
            return False
        self._figures.well("journal")
        return True
