"""The commands' thread: hears, asks the desk what happens next, lets tries begin and stop, tells what came of them."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from platefleet.agent.commands.attempt import Attempt
from platefleet.agent.commands.clerk import Clerk
from platefleet.agent.commands.hearing import Hearing
from platefleet.agent.commands.journal import Journal, JournalError
from platefleet.agent.commands.left import LeftBehind
from platefleet.agent.commands.telling import Telling
from platefleet.agent.commands.tries import Tries
from platefleet.agent.figures import Figures
from platefleet.models.operations import operations
from platefleet.models.operations.port import Host, Operation, UndoneAgain
from platefleet.models.operations.reading import arguments_of, packed
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.commands.desk import Judge, Move, moves, told_anew
from platefleet.protocol.commands.holds import Situation
from platefleet.protocol.commands.lifecycle import (
    RETRY_S,
    TERMINAL,
    Event,
    Failed,
    Held,
    Restarted,
    RolledBack,
    Started,
    Stopped,
    Succeeded,
)
from platefleet.protocol.errors import OutboxError, PlatefleetError, ProtocolError
from platefleet.protocol.messages.command import Waiting

LOG = logging.getLogger(__name__)
INBOX = 128
"""Messages that wait; one more is dropped and counted: the console sends until a status comes."""
TICK_NS = SECOND_NS
IDLE_TICK_NS = 5 * SECOND_NS
"""While nothing is open: what comes is looked at as it comes, and rules have hours."""
POLL_S = 1.0
"""How often the thread goes round at least; it wakes for what comes, for the tick, and when it is woken."""
FORGET_NS = 3600 * SECOND_NS
PROGRESS_NS = SECOND_NS


class Commands:
    """Carries out what was asked of the device. `hear` from any thread; `run` is a supervised worker.

    A change that cannot be written down is tried again at every tick, and nothing begins before it is.
    """

    def __init__(
        self,
        journal: Journal,
        clerk: Clerk,
        hearing: Hearing,
        telling: Telling,
        *,
        host: Host,
        situation: Callable[[bool, bool], Situation],
        progress: Callable[[str, str, float | None], None],
        clock: Clock,
        figures: Figures,
        others: Mapping[str, Callable[[bytes], None]],
        known: Callable[[], Mapping[str, Operation[Any, Any]]] = operations,
        proven_ns: Callable[[], int] = lambda: 0,
        poll_s: float = POLL_S,
    ) -> None:
        """situation: how things are; told whether heavy work stands still, and whether any runs.

        others: who takes `desired` and `trust`. progress: tells a command's step and share, at most once a second.
        known: the operations by their names. proven_ns: the newest moment that somebody signed.
        poll_s: how long it waits at most for what comes.
        """
        self._operations = known
        self._journal, self._clerk, self._hearing, self._telling = journal, clerk, hearing, telling
        self._host, self._situation, self._progress = host, situation, progress
        self._clock, self._figures, self._proven_ns, self._poll_s = clock, figures, proven_ns, poll_s
        self._inbox: queue.Queue[tuple[str, bytes] | None] = queue.Queue(INBOX)
        self._ended: deque[tuple[str, Event, bytes | None]] = deque()
        """At most one for each slot's try: written as soon as the journal takes it."""
        self._takers = {"command": hearing.heard, **others}
        self._left = LeftBehind(figures)
        self._tries = Tries(self._left)
        self._progress_ns: dict[str, int] = {}
        self._ticked_ns = self._forgot_ns = 0
        self.chores: tuple[Callable[[Situation], None], ...] = ()
        """What else is looked at with every tick: standing rules, the desired state."""

    def hear(self, kind: str, payload: bytes) -> None:
        """Take a message of a kind in `command`, `desired`, `trust`. Never blocks."""
        try:
            self._inbox.put_nowait((kind, payload))
        except queue.Full:
            self._figures.count("commands_dropped")

    def wake(self) -> None:
        """Have the thread look at once whether it has to stop or to tell something. From any thread; never blocks."""
        with contextlib.suppress(queue.Full):  # then it wakes for what fills it
            self._inbox.put_nowait(None)

    def run(self, stop: threading.Event, alive: Callable[[], None]) -> None:
        """Work until `stop`; what runs then is told to stop, and settled at the next start."""
        self._settle()
        try:
            while not stop.is_set():
                alive()
                self._hear_one()
                self._write_ended()
                now_ns = self._clock.now().mono_ns
                if self._ticked_ns == 0 or now_ns - self._ticked_ns >= self._pause_ns():
                    self._ticked_ns = now_ns
                    self._tick()
                self._tell()
        finally:
            self._tries.stop()

    def _pause_ns(self) -> int:
        return TICK_NS if self._clerk.entries() or self._ended else IDLE_TICK_NS

    def _hear_one(self) -> None:
        left_ns = self._ticked_ns + self._pause_ns() - self._clock.now().mono_ns
        try:
            heard = self._inbox.get(timeout=min(max(left_ns / SECOND_NS, 0.0), self._poll_s))
        except queue.Empty:
            return
        if heard is None:
            return
        kind, payload = heard
        before = self._clerk.revision
        self._safely(lambda: self._takers[kind](payload))
        if self._clerk.revision != before or kind != "command":
            self._ticked_ns = 0  # what was taken may begin at once; a command that was refused costs no more than that

    def _safely(self, do: Callable[[], None]) -> None:
        """Do one thing; whatever comes of it ends neither the thread nor the tries that run."""
        try:
            do()
            self._well()
        except JournalError as error:
            self._trouble(error)
        except (OutboxError, ProtocolError) as error:  # a status that was asked for again, and could not be told
            self._untold(error)
        except Exception:  # a bug, or what a bug let in
            self._figures.count("commands_faults")
            says = "a fault of this program in its commands; its log has it"
            if self._figures.trouble("commands fault", says):
                LOG.exception("%s", says)

    def _settle(self) -> None:
        """Find out what became of the tries that the end of the last run cut off."""
        for id_, entry in self._clerk.entries().items():
            if entry.life.state != "running" or id_ in self._tries:
                continue
            result: bytes | None = None
            event: Event
            try:
                settled = self._attempt(id_).settle()
                event = Restarted(again=True) if settled is None else Succeeded()
                result = None if settled is None else packed(settled)
            except UndoneAgain as error:
                event = RolledBack(str(error)[:512])
            except PlatefleetError as error:
                event = Restarted(again=False, reason=str(error)[:480])
            self._ended.append((id_, event, result))

    def _tick(self) -> None:
        now = self._situation(bool(self._tries.still), self._tries.heavy(self._clerk.entries()))
        for chore in self.chores:
            self._safely(lambda chore=chore: chore(now))  # type: ignore[misc]
        for look in (self._left.look, self._hearing.look_at_refusals, self._hearing.look_at_keys):
            self._safely(look)
        for move in moves(self._clerk.entries(), now) if not self._ended else ():
            judged = isinstance(move, Judge)
            self._safely(
                lambda move=move, judged=judged: self._hearing.look_again(move.id) if judged else self._move(move)  # type: ignore[misc]
            )
        if now.clock_good and now.now.mono_ns - self._forgot_ns > FORGET_NS:
            self._forgot_ns = now.now.mono_ns
            # Never by this clock alone: one that jumped ahead would forget what can still be sent again.
            self._safely(lambda: self._journal.forget(min(now.now.utc_ns, self._proven_ns()), self._telling.told))
        for id_, says in self._tries.look(self._clerk.entries(), now):
            self._ended.append((id_, Failed(says), None))
        for id_ in self._tries.still:
            self._clerk.heard(id_)

    def _move(self, move: Move) -> None:
        if isinstance(move.event, Started) and (self._held_by_left(move.id) or self._hearing.barred(move.id)):
            return
        life = self._clerk.advance(move.id, move.event)
        if not isinstance(move.event, Started) or life is None or life.state != "running":
            return
        try:
            attempt = self._attempt(move.id)
        except ProtocolError as error:
            self._ended.append((move.id, Failed(str(error)[:480]), None))
            return
        self._tries.start(move.id, attempt)

    def _held_by_left(self, id_: str) -> bool:
        """Let a command wait whose slot a try that was left behind still holds; whether one does."""
        entry = self._clerk.entries().get(id_)
        other = None if entry is None else self._left.holder(entry.terms.slot)
        if entry is None or other is None:
            return False
        why = Waiting(hold="command", says=f"{other} is over and does not stop; restart the agent")
        if told_anew(entry, why, self._clock.now().mono_ns):
            self._clerk.advance(id_, Held(why))
        return True

    def _attempt(self, id_: str) -> Attempt:
        written = self._clerk.written(id_)
        operation = None if written is None else self._operations().get(written.order.operation)
        if written is None or operation is None:
            raise ProtocolError(f"command {id_}: its operation is not known to this release")
        return Attempt(
            id_,
            operation,
            arguments_of(operation, written.arguments),
            clerk=self._clerk,
            host=self._host,
            ended=self._note_end,
            stepped=self.wake,
            progress=self._tell_progress,
        )

    def _note_end(self, command: str, event: Event, result: bytes | None) -> None:
        self._ended.append((command, event, result))
        self.wake()

    def _write_ended(self) -> None:
        """Write down how tries ended. What cannot be written stays, and is tried again."""
        while self._ended:
            id_, event, result = self._ended[0]
            try:
                entry = self._clerk.entries().get(id_)
                if isinstance(event, Failed) and event.passing and entry is not None:
                    pause_s = RETRY_S[min(entry.life.failures, len(RETRY_S) - 1)]
                    event = replace(event, retry_at_ns=self._clock.now().utc_ns + pause_s * SECOND_NS)
                life = self._clerk.advance(id_, event, result=result)
                if life is not None and life.state == "running" and isinstance(event, Stopped):
                    LOG.error("command %s: its try ended and it is still %s", id_, life.state)
            except JournalError as error:
                self._trouble(error)
                return
            self._ended.popleft()
            self._tries.ended(id_)
            self._progress_ns.pop(id_, None)
            self._ticked_ns = 0
            if life is not None:
                self._figures.count(f"commands_{life.state}" if life.state in TERMINAL else "commands_interrupted")
                LOG.info("command %s: %s %s", id_, life.state, life.reason)

    def _tell(self) -> None:
        try:
            self._telling.tell()
            self._figures.well("statuses")
        except (OutboxError, JournalError, ProtocolError) as error:
            self._untold(error)

    def _untold(self, error: PlatefleetError) -> None:
        if self._figures.trouble("statuses", f"statuses of commands cannot be told: {error}"[:512]):
            LOG.error("statuses cannot be told: %s", error)

    def _tell_progress(self, id_: str, step: str, share: float | None) -> None:
        now_ns = self._clock.now().mono_ns
        if now_ns - self._progress_ns.get(id_, -PROGRESS_NS) >= PROGRESS_NS:
            self._progress_ns[id_] = now_ns
            self._progress(id_, step, share)

    def _well(self) -> None:
        """Let go of the journal's trouble, unless what it refused last was never written since."""
        if not self._journal.refuses:
            self._figures.well("journal")

    def _trouble(self, error: JournalError) -> None:
        if self._figures.trouble("journal", str(error)):
            LOG.error("%s", error)
