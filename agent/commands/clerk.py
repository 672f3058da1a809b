"""Writes down what becomes of commands: the only way to change one. A change is durable before it is seen or told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from platefleet.agent.commands.journal import Journal, Written
from platefleet.protocol.clock import Clock
from platefleet.protocol.codec import encode
from platefleet.protocol.commands.desk import Entry
from platefleet.protocol.commands.lifecycle import Event, Life, Started, Stepped, advance
from platefleet.protocol.commands.order import Order, Terms
from platefleet.protocol.messages import CommandStatus, Stamp

NOTHING: Mapping[str, str] = MappingProxyType({})
OFFICE = "choices"
"""The name under which the journal has the version of the device's choices."""


class Clerk:
    """Every command of this device. Any thread may call."""

    def __init__(
        self,
        journal: Journal,
        terms: Callable[[str, Mapping[str, Any]], Terms],
        *,
        clock: Clock,
        stamp: Callable[[], Stamp],
    ) -> None:
        """terms: of an operation with its arguments, as they were taken."""
        self._journal, self._terms, self._clock, self._stamp = journal, terms, clock, stamp
        self._lock = threading.RLock()
        self._written = journal.open_commands()
        self._entries = {id_: self._entry(written) for id_, written in self._written.items()}
        self.revision = 0
        """Rises with every change."""

    @property
    def choices(self) -> int:
        """The version of the device's choices."""
        return int(self._journal.meta(OFFICE) or 0)

    def entries(self) -> dict[str, Entry]:
        """Return every command that is not over."""
        with self._lock:
            return dict(self._entries)

    def written(self, id_: str) -> Written | None:
        """Return a command that is remembered, over or not."""
        with self._lock:
            return self._written.get(id_) or self._journal.command(id_)

    def take(
        self,
        order: Order,
        arguments: Mapping[str, Any],
        *,
        role: str,
        envelope: bytes = b"",
        life: Life | None = None,
        choices: int | None = None,
        also: Mapping[str, str] = NOTHING,
    ) -> None:
        """Write a command down for the first time. life: where it is over already. choices: their version from now on.

        also: what has to be remembered with it or not at all. Raises JournalError; then it was not taken.
        """
        written = Written(order, arguments, envelope, role, life or Life())
        with self._lock:
            meta = {**also} if choices is None else {**also, OFFICE: str(choices)}
            self._write(written, self.choices if choices is None else choices, meta=meta)

    def advance(self, id_: str, event: Event, *, result: bytes | None = None) -> Life | None:
        """Write down what an event makes of a command; return how it is now, None if it was over or is unknown.

        Raises JournalError; then nothing has changed.
        """
        with self._lock:
            written = self._written.get(id_)
            if written is None:
                return None
            life = advance(written.life, event)
            if life is written.life:
                return life
            self._write(replace(written, life=life), self.choices, result=result)
            if isinstance(event, (Started, Stepped)):
                self.heard(id_, stepped=True)
            return life

    def remark(self, id_: str, note: str) -> None:
        """Tell a command's state once more with a sentence; nothing becomes of it. Raises JournalError."""
        with self._lock:
            written = self._written.get(id_)
            if written is not None:
                self._write(written, self.choices, note=note)

    def keep(self, id_: str, name: str, value: str) -> None:
        """Remember something for a command's next try. Raises JournalError."""
        with self._lock:
            written = self._written[id_]
            changed = replace(written, kept={**written.kept, name: value})
            self._journal.write(changed, None)
            self._written[id_] = changed

    def judged(self, id_: str, operator: str, role: str, *, choices: int | None = None) -> None:
        """Write down that a command's times were judged. choices: as in `take`. Raises JournalError."""
        with self._lock:
            written = self._written[id_]
            order = replace(written.order, lives_ns=None, operator=operator)
            meta = {} if choices is None else {OFFICE: str(choices)}
            self._write(replace(written, order=order, role=role), self.choices, silent=True, meta=meta)

    def heard(self, id_: str, *, stepped: bool = False) -> None:
        """Note a sign of life of a running command."""
        with self._lock:
            entry = self._entries.get(id_)
            if entry is not None:
                now_ns = self._clock.now().mono_ns
                step_ns = now_ns if stepped else entry.stepped_ns
                self._entries[id_] = replace(entry, heard_ns=now_ns, stepped_ns=step_ns)

    def choose(self, version: int, values: Mapping[str, str]) -> None:
        """Put choices in force, with their version. Raises JournalError."""
        with self._lock:
            self._journal.remember({OFFICE: str(version), **values})

    def _write(
        self,
        written: Written,
        choices: int,
        *,
        result: bytes | None = None,
        note: str = "",
        silent: bool = False,
        meta: Mapping[str, str] | None = None,
    ) -> None:
        order, life = written.order, written.life
        status = None
        if not silent:
            written = replace(written, number=written.number + 1)
            status = encode(
                CommandStatus(
                    command=order.id,
                    install=self._journal.install,
                    operation=order.operation,
                    operator=order.operator,
                    number=written.number,
                    state=life.state,
                    at=self._stamp(),
                    attempt=life.attempt,
                    step=life.step if life.state == "running" else None,
                    why=life.why if life.state == "waiting" else None,
                    reason=(note or life.reason)[:512],
                    choices=choices,
                    result=result,
                )
            )
        self._journal.write(written, status, meta=meta)
        self.revision += 1
        if life.over:
            self._written.pop(order.id, None)
            self._entries.pop(order.id, None)
        else:
            now_ns = self._clock.now().mono_ns
            before = self._entries.get(order.id)
            told_ns = before.told_ns if before is not None and silent else now_ns
            self._written[order.id] = written
            self._entries[order.id] = replace(before or self._entry(written), order=order, life=life, told_ns=told_ns)

    def _entry(self, written: Written) -> Entry:
        now_ns = self._clock.now().mono_ns
        terms = self._terms(written.order.operation, written.arguments)
        return Entry(written.order, written.life, terms, told_ns=now_ns, stepped_ns=now_ns, heard_ns=now_ns)
