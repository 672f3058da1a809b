"""The commands' thread: hears, asks the desk what happens next, lets tries begin and stop, tells what came of them."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from platefleet.agent.commands.attempt import Attempt
from platefleet.agent.commands.clerk import Clerk
from platefleet.agent.commands.hearing import Hearing
from platefleet.agent.commands.journal import Journal, JournalError
from platefleet.agent.commands.left import LeftBehind
from platefleet.agent.commands.telling import Telling
from platefleet.agent.figures import Figures
from platefleet.models.operations import operations
from platefleet.models.operations.port import Host, Operation, UndoneAgain
from platefleet.models.operations.reading import arguments_of, packed
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.commands.desk import Judge, Move, moves, told_anew
from platefleet.protocol.commands.holds import Situation, paused
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
from platefleet.protocol.commands.order import Terms
from platefleet.protocol.errors import OutboxError, PlatefleetError, ProtocolError
from platefleet.protocol.messages.command import Waiting

LOG = logging.getLogger(__name__)
INBOX = 128
"""Messages that wait; one more is dropped and counted: the console sends until a status comes."""
TICK_NS = SECOND_NS
POLL_S = 0.5
"""The thread wakes for what comes, for what ended, and for the tick; this is how soon it hears that it has to stop."""
LEAVE_S = 30.0
"""So long a try may take to stop when it is told to; then its command has failed and its thread is left behind."""
FORGET_NS = 3600 * SECOND_NS
PROGRESS_NS = SECOND_NS


@dataclass
class _Running:
    attempt: Attempt
    stopped_ns: int | None = None


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
    ) -> None:
        """situation: how things are; told whether heavy work stands still, and whether any runs.

        others: who takes `desired` and `trust`. progress: tells a command's step and share, at most once a second.
        known: the operations by their names.
        """
        self._operations = known
        self._journal, self._clerk, self._hearing, self._telling = journal, clerk, hearing, telling
        self._host, self._situation, self._progress = host, situation, progress
        self._clock, self._figures = clock, figures
        self._inbox: queue.Queue[tuple[str, bytes] | None] = queue.Queue(INBOX)
        self._ended: deque[tuple[str, Event, bytes | None]] = deque()
        """At most one for each slot's try: written as soon as the journal takes it."""
        self._takers = {"command": hearing.heard, **others}
        self._running: dict[str, _Running] = {}
        self._left = LeftBehind(figures)
        self._progress_ns: dict[str, int] = {}
        self._ticked_ns = self._forgot_ns = 0
        self._standing_still = False
        self.chores: tuple[Callable[[Situation], None], ...] = ()
        """What else is looked at once a second: standing rules, the desired state."""

    def hear(self, kind: str, payload: bytes) -> None:
        """Take a message of a kind in `command`, `desired`, `trust`. Never blocks."""
        try:
            self._inbox.put_nowait((kind, payload))
        except queue.Full:
            self._figures.count("commands_dropped")

    def run(self, stop: threading.Event, alive: Callable[[], None]) -> None:
        """Work until `stop`; what runs then is told to stop, and settled at the next start."""
        self._settle()
        try:
            while not stop.is_set():
                alive()
                self._hear_one()
                self._write_ended()
                now_ns = self._clock.now().mono_ns
                if now_ns - self._ticked_ns >= TICK_NS or self._ticked_ns == 0:
                    self._ticked_ns = now_ns
                    self._tick()
                self._tell()
        finally:
            for running in self._running.values():
                running.attempt.stop()

    def _hear_one(self) -> None:
        try:
            heard = self._inbox.get(timeout=POLL_S)
        except queue.Empty:
            return
        if heard is None:
            return
        kind, payload = heard
        self._ticked_ns = 0  # what came may begin at once
        try:
            self._takers[kind](payload)
            self._well()
        except JournalError as error:
            self._trouble(error)
        except (OutboxError, ProtocolError) as error:  # a status that was asked for again, and could not be told
            self._untold(error)

    def _settle(self) -> None:
        """Find out what became of the tries that the end of the last run cut off."""
        for id_, entry in self._clerk.entries().items():
            if entry.life.state != "running" or id_ in self._running:
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
        entries = self._clerk.entries()
        heavy = any(id_ in entries and entries[id_].terms.slot == "heavy" for id_ in self._running)
        now = self._situation(self._standing_still, heavy)
        try:
            for chore in self.chores:
                chore(now)
            self._left.look()
            self._hearing.look_at_refusals()
            self._hearing.look_at_keys()
            if not self._ended:
                for move in moves(self._clerk.entries(), now):
                    if isinstance(move, Judge):
                        self._hearing.look_again(move.id)
                    else:
                        self._move(move)
            if now.clock_good and now.now.mono_ns - self._forgot_ns > FORGET_NS:
                self._forgot_ns = now.now.mono_ns
                self._journal.forget(now.now.utc_ns, self._telling.told)
            self._well()
        except JournalError as error:
            self._trouble(error)
        self._stop_and_pause(now)

    def _move(self, move: Move) -> None:
        if isinstance(move.event, Started) and self._held_by_left(move.id):
            return
        life = self._clerk.advance(move.id, move.event)
        if not isinstance(move.event, Started) or life is None or life.state != "running":
            return
        try:
            attempt = self._attempt(move.id)
        except ProtocolError as error:
            self._ended.append((move.id, Failed(str(error)[:480]), None))
            return
        self._running[move.id] = _Running(attempt)
        attempt.start()

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
            progress=self._tell_progress,
        )

    def _note_end(self, command: str, event: Event, result: bytes | None) -> None:
        self._ended.append((command, event, result))
        with contextlib.suppress(queue.Full):  # then it wakes for what fills it
            self._inbox.put_nowait(None)

    def _stop_and_pause(self, now: Situation) -> None:
        entries = self._clerk.entries()
        self._standing_still = False
        for id_, running in list(self._running.items()):
            entry = entries.get(id_)
            if entry is None:
                continue
            if entry.life.stopping is not None:
                running.attempt.pause(paused=False)
                running.attempt.stop()
                running.stopped_ns = running.stopped_ns or now.now.mono_ns
                if now.now.mono_ns - running.stopped_ns > LEAVE_S * SECOND_NS:
                    says = f"{entry.order.operation} did not stop within {LEAVE_S:.0f} s of being told to"
                    self._left.add(id_, running.attempt.thread, entry.terms.slot, f"{says}; restart the agent")
                    self._ended.append((id_, Failed(says), None))
                    del self._running[id_]
                continue
            still = paused(entry.terms, now) and not entry.life.committed
            running.attempt.pause(paused=still)
            if still:
                self._standing_still = True
                self._clerk.heard(id_)

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
            self._running.pop(id_, None)
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


def terms(operation: str, arguments: Mapping[str, Any]) -> Terms:
    """Return the terms of an operation by its name; of one that this release does not know, harmless ones."""
    from platefleet.models.operations.reading import terms_of  # noqa: PLC0415 - one place knows the names

    known = operations().get(operation)
    if known is None:
        return Terms("light", "")
    try:
        return terms_of(known, arguments_of(known, arguments))
    except ProtocolError:
        return Terms("light", "")
