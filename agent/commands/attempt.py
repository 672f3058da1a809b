"""One try of one command: the operation's code in a thread of its own, and what it may ask of the agent."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from platefleet.agent.commands.clerk import Clerk
from platefleet.agent.commands.journal import JournalError
from platefleet.models.errors import BuildDeferred
from platefleet.models.operations.port import Arguments, Host, NotNow, Operation, Result, StoppedEarly, UndoneAgain
from platefleet.models.operations.reading import packed
from platefleet.protocol.commands.lifecycle import Event, Failed, RolledBack, Stepped, Stopped, Succeeded
from platefleet.protocol.errors import PlatefleetError

LOG = logging.getLogger(__name__)
_PASSING = (NotNow, BuildDeferred, JournalError)

Ended = Callable[[str, Event, "bytes | None"], None]
Progress = Callable[[str, str, "float | None"], None]


class Attempt:
    """A try. `start` once; `stop` from any thread; it ends by calling `ended` with what came of it."""

    def __init__(
        self,
        command: str,
        operation: Operation[Any, Any],
        arguments: Arguments,
        *,
        clerk: Clerk,
        host: Host,
        ended: Ended,
        stepped: Callable[[], None],
        progress: Progress,
    ) -> None:
        """Call `ended`, `stepped` and `progress` in the try's thread."""
        self.command, self._operation, self._arguments = command, operation, arguments
        self._clerk, self._host, self._ended, self._stepped, self._progress = clerk, host, ended, stepped, progress
        self._no_return = {step.name for step in operation.steps if step.no_return}
        self._stop, self._pause = threading.Event(), threading.Event()
        written = clerk.written(command)
        self.attempt = written.life.attempt if written is not None else 1
        self.thread = threading.Thread(target=self._run, name=f"command {operation.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self.thread.start()

    def stop(self) -> None:
        """Tell it to stop."""
        self._stop.set()

    def pause(self, *, paused: bool) -> None:
        """Let it stand still, or go on."""
        (self._pause.set if paused else self._pause.clear)()

    # What the operation sees.

    def step(self, name: str) -> None:
        """Come to another step; durable when this returns. Raises StoppedEarly, JournalError."""
        if self.stopping():
            raise StoppedEarly(f"it was stopped before {name}")
        committed = name in self._no_return
        life = self._clerk.advance(self.command, Stepped(name, committed))
        if life is None or (committed and not life.committed):
            raise StoppedEarly(f"it was stopped before {name}")  # the order to stop came first, and was written down
        self._progress(self.command, name, None)
        self._stepped()

    def tell(self, step: str, share: float | None) -> None:
        """Give a sign of life."""
        self._clerk.heard(self.command)
        self._progress(self.command, step, share)

    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stop.is_set()

    def paused(self) -> bool:
        """Whether it should stand still."""
        return self._pause.is_set()

    def keep(self, name: str, value: str) -> None:
        """Remember something durably."""
        self._clerk.keep(self.command, name, value)

    def kept(self, name: str) -> str | None:
        """Return what was remembered."""
        written = self._clerk.written(self.command)
        return None if written is None else written.kept.get(name)

    def settle(self) -> Result | None:
        """Ask the operation what became of a try that the agent's end cut off. Raises PlatefleetError."""
        settled: Result | None = self._operation.settle(self._arguments, self._host, self)
        return settled

    def _run(self) -> None:
        event, result = self._outcome()
        self._ended(self.command, event, result)

    def _outcome(self) -> tuple[Event, bytes | None]:
        try:
            return Succeeded(), packed(self._operation.run(self._arguments, self._host, self))
        except StoppedEarly:
            return Stopped(), None
        except UndoneAgain as error:
            return RolledBack(str(error)[:512]), None
        except PlatefleetError as error:
            if self.stopping():
                return Stopped(), None
            return Failed(str(error)[:480], passing=isinstance(error, _PASSING)), None
        except Exception:  # a bug in an operation must not end the agent
            LOG.exception("%s %s failed by a fault of this program", self._operation.name, self.command)
            return Failed("it failed by a fault of this program; the device's log has it"), None
