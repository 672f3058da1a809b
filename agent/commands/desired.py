"""The desired state: taken when it is newer, worked towards by commands of the device's own; what is not as desired."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from platefleet.agent.commands.choices import Choices
from platefleet.agent.commands.clerk import Clerk
from platefleet.agent.commands.journal import Journal
from platefleet.agent.commands.superseded import SINCE
from platefleet.agent.figures import Figures
from platefleet.models.artifacts.store import ROLES, ArtifactStore
from platefleet.models.errors import ArtifactError
from platefleet.protocol.clock import Clock, Instant
from platefleet.protocol.codec import decode
from platefleet.protocol.commands.holds import Situation
from platefleet.protocol.commands.order import Order
from platefleet.protocol.errors import ConfigError, ProtocolError
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import Command, Desired, Envelope, Window
from platefleet.protocol.messages.command import LIFETIME_NS
from platefleet.protocol.messages.desired import Reported
from platefleet.protocol.trust import Reason, Refused, TrustState, open_signed
from platefleet.protocol.windows import zone_of

LOG = logging.getLogger(__name__)
_TRIED, _BY, _SINCE = "tried", "desired by", SINCE
_CHOOSE = ("activate", "rollback")
_NEVER_TAKEN = ("rejected", "expired", "cancelled")
HISTORY = 128
LOOK_NS = 4_000_000_000
"""Less than lies between two looks of a thread that has nothing else to do, so that each of them counts."""

Ask = Callable[[Order, Mapping[str, Any], Mapping[str, str]], None]
"""Takes an order of the device's own, its arguments, and what is remembered with it or not at all."""


def own_order(
    operation: str, operator: str, now: Instant, boot: str, *, lives_ns: int = LIFETIME_NS, place: int = 0
) -> Order:
    """Return an order that the device gives itself now.

    place: among those that it gives at this moment. Each counts as issued a nanosecond later, so they begin in this
    order whatever the wall clock does meanwhile, and not by their ids, which are random within a millisecond.
    """
    return Order(
        id=uuid7(now.utc_ns // 1_000_000, os.urandom(10)),
        operation=operation,
        operator=operator,
        issued_at_ns=now.utc_ns + place,
        not_after_ns=now.utc_ns + lives_ns,
        received=now,
        boot=boot,
        priority=3,
    )


class DesiredState:
    """Belongs to the commands' thread; `reported` may be asked from any."""

    _let_go_at = -1

    def __init__(
        self,
        device: str,
        journal: Journal,
        clerk: Clerk,
        choices: Choices,
        *,
        store: ArtifactStore | None,
        trust: Callable[[], TrustState],
        now_utc_ns: Callable[[], int | None],
        ask: Ask,
        boot: str,
        clock: Clock,
        figures: Figures,
    ) -> None:
        self._device, self._journal, self._clerk, self._choices = device, journal, clerk, choices
        self._store, self._trust, self._now, self._ask = store, trust, now_utc_ns, ask
        self._boot, self._clock, self._figures = boot, clock, figures
        self._waiting: bytes | None = None
        """The newest that could not be judged: nobody sends it again, so it is looked at when trust or clock change."""
        self._waits_with: TrustState | None = None
        self._waits_dated = False
        self._drift: tuple[str, ...] = ()
        self._told = Reported()
        self._looked_ns = -LOOK_NS
        self.changed: Callable[[], None] = lambda: None

    def heard(self, payload: bytes) -> None:
        """Take what came on `down/desired`; an empty one says nothing. Raises JournalError."""
        if not payload:
            return
        self._waiting = payload  # until it is adopted, or can never be
        self._waits_with, self._waits_dated = self._trust(), self._now() is not None
        opened = open_signed(self._waits_with, payload, "desired", self._now())
        if isinstance(opened, Refused):
            if not (opened.reason is Reason.CLOCK and opened.verified):
                self._refused(opened.says)
            return
        try:
            desired = decode(Desired, opened.body)
        except ProtocolError as error:
            self._refused(f"{opened.operator.name} signed what cannot be read here: {error}")
            return
        if not opened.operator.may("administrator"):
            self._refused(f"{opened.operator.name} is an {opened.operator.role}; it takes an administrator")
        elif desired.device != self._device or desired.install != self._journal.install:
            self._refused("it is for another device, or was signed before this one was set up anew; sign it again")
        elif not _has_zone(desired):
            self._refused(
                f"this machine has no time zone {(desired.window or Window()).zone}; name another, or update it"
            )
        elif self._choices.adopt(desired, {_BY: opened.operator.name, _TRIED: "", _SINCE: str(desired.choices)}):
            self._figures.well("desired")
            LOG.info("desired state %d by %s is in force", desired.choices, opened.operator.name)
            self.changed()
        self._waiting = None

    def look(self, now: Situation) -> None:
        """Compare what is with what is desired, and ask for what is missing. A chore of the commands' thread."""
        if self._waiting is not None and (now.clock_good != self._waits_dated or self._trust() is not self._waits_with):
            self.heard(self._waiting)
        if now.now.mono_ns - self._looked_ns < LOOK_NS:
            return
        self._looked_ns = now.now.mono_ns
        self._drift = tuple(self._compare(now))
        now_reported = self.reported()
        if now_reported != self._told:  # by a command, by a hand at the device, or on the way to what is desired
            self._told = now_reported
            self.changed()

    def reported(self) -> Reported:
        """Return what the device is like."""
        return Reported(
            choices=self._choices.version,
            active=self._actives(),
            window=self._choices.window,
            rules=self._choices.rules,
            drift=self._drift,
        )

    def _let_go(self) -> None:
        """Want no artifact any more for a role for which an operator's command chose another one since."""
        if not self._choices.active or self._choices.version == self._let_go_at:
            return
        since = int(self._journal.meta(_SINCE) or 0)
        for written, _ in self._journal.history(HISTORY):
            if written.order.operation not in _CHOOSE or not written.envelope:
                continue
            command = decode(Command, decode(Envelope, written.envelope).body)
            if (command.builds_on or 0) >= since and written.life.state not in _NEVER_TAKEN:
                self._choices.forget_active(str(written.arguments["role"]))
        self._let_go_at = self._choices.version

    def _compare(self, now: Situation) -> list[str]:
        self._let_go()
        drift = []
        actives = self._actives()
        tried = set(filter(None, self._journal.meta(_TRIED).split(",")))
        asked = {e.order.operator for e in self._clerk.entries().values() if e.order.operation == "activate"}
        by = f"desired:{self._journal.meta(_BY) or 'unknown'}"[:64]
        for role, key in self._choices.active.items():
            if actives.get(role) == key:
                continue
            mark = f"{role}:{key}"
            if by in asked:
                drift.append(f"{role}: {key[:8]} is desired and being activated")
                continue
            why = self._missing(role, key)
            if why is None and mark not in tried and not now.clock_good:
                why = "the clock is not synchronised, so what is asked for now would have no time of its own"
            if why is None and mark not in tried:
                remembered = {_TRIED: ",".join(sorted({*tried, mark}))}
                order = own_order("activate", by, self._clock.now(), self._boot)
                self._ask(order, {"role": role, "key": key}, remembered)
                drift.append(f"{role}: {key[:8]} is desired and being activated")
            else:
                said = why or "it was tried and did not stay; see its command, and desire another"
                drift.append(
                    f"{role}: {key[:8]} is desired, {actives.get(role, 'nothing')[:8]} is active: {said}"[:512]
                )
        return drift

    def _missing(self, role: str, key: str) -> str | None:
        """Return why an artifact cannot be activated yet."""
        if self._store is None:
            return "this device keeps no artifacts; set models.store"
        named = next(each for each in ROLES if each == role)
        try:
            self._store.passport(named, key)
        except ArtifactError as error:
            return str(error)
        return None

    def _actives(self) -> dict[Any, str]:
        found = {}
        for role in ROLES if self._store is not None else ():
            try:
                active = self._store.active(role) if self._store is not None else None
            except ArtifactError as error:
                LOG.debug("%s: %s", role, error)  # health has it already, from who serves
                continue
            if active is not None:
                found[role] = active.key
        return found

    def _refused(self, why: str) -> None:
        self._figures.count("desired_refused")
        if self._figures.trouble("desired", f"a desired state was refused: {why}"[:512]):
            LOG.warning("a desired state was refused: %s", why)


def _has_zone(desired: Desired) -> bool:
    try:
        if desired.window is not None:
            zone_of(desired.window)
    except ConfigError:
        return False
    return True
