"""The cancels of commands: of those that came, and of those that have not come yet."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable

from platefleet.agent.commands.clerk import Clerk
from platefleet.agent.commands.journal import Journal
from platefleet.agent.figures import Figures
from platefleet.models.operations import operations
from platefleet.protocol.commands.desk import OPEN_MOST
from platefleet.protocol.commands.lifecycle import CancelAsked
from platefleet.protocol.messages import Cancel, Command
from platefleet.protocol.trust import Operator, TrustState, is_revoked

LOG = logging.getLogger(__name__)


class Cancelling:
    """Belongs to the commands' thread."""

    def __init__(
        self,
        journal: Journal,
        clerk: Clerk,
        *,
        trust: Callable[[], TrustState],
        again: Callable[[str], bool],
        figures: Figures,
    ) -> None:
        self._journal, self._clerk, self._trust, self._again = journal, clerk, trust, again
        self._figures = figures
        self._remarked: OrderedDict[str, str] = OrderedDict()
        """The cancel by command that was refused with a sentence: once, however often it is sent."""

    def take(self, cancel: Cancel, operator: Operator) -> None:
        """Do what a cancel asks for, or say why not. Raises JournalError."""
        written = self._clerk.written(cancel.command)
        if written is None:
            self._journal.cancel_first(cancel.command, operator, cancel.not_after)
            self._figures.count("commands_cancelled_first")
            return
        if written.life.over:
            self._again(cancel.command)
            return
        operation = operations().get(written.order.operation)
        if operation is not None and not operator.may(operation.role):
            self._remark(cancel, f"cancel refused: {operator.name} may not cancel it")
            return
        life = self._clerk.advance(cancel.command, CancelAsked())
        if life is not None and life.state == "running" and life.committed:
            self._remark(cancel, f"cancel refused: {life.step} cannot be undone any more")
            return
        LOG.info("command %s: cancelled by %s", cancel.command, operator.name)

    def first(self, command: Command) -> str | None:
        """Return who cancelled a command before it came, if that person might."""
        found = self._journal.cancelled_first(command.id)
        operation = operations().get(command.operation)
        if found is None or operation is None:
            return None
        return found.name if found.may(operation.role) and not is_revoked(self._trust(), found.key) else None

    def _remark(self, cancel: Cancel, says: str) -> None:
        """Answer a cancel that is refused; the same one again with the same status."""
        if self._remarked.get(cancel.command) == cancel.id:
            self._again(cancel.command)
            return
        self._clerk.remark(cancel.command, says)
        self._remarked[cancel.command] = cancel.id
        while len(self._remarked) > OPEN_MOST:
            self._remarked.popitem(last=False)
