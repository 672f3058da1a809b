"""Tries that did not stop when they were told to: their commands are over, their threads still hold a slot."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from platefleet.agent.figures import Figures
from platefleet.protocol.commands.order import Slot

TROUBLE = "command hangs"


@dataclass(frozen=True, slots=True)
class _Left:
    thread: threading.Thread
    slot: Slot
    says: str


class LeftBehind:
    """Belongs to the commands' thread. Health names the newest one until none is there."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._left: dict[str, _Left] = {}

    def add(self, id_: str, thread: threading.Thread, slot: Slot, says: str) -> None:
        """Leave a try behind."""
        self._left[id_] = _Left(thread, slot, says)
        self._figures.trouble(TROUBLE, f"{id_}: {says}")

    def look(self) -> None:
        """Let go of those whose thread has ended after all."""
        if not self._left:
            return
        self._left = {id_: left for id_, left in self._left.items() if left.thread.is_alive()}
        if not self._left:
            self._figures.well(TROUBLE)

    def holder(self, slot: Slot) -> str | None:
        """Return which command's try still holds a slot."""
        return next((id_ for id_, left in self._left.items() if left.slot == slot), None)
