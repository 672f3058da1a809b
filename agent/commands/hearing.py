"""What comes on `down/command`, `down/desired` and `trust`: opened, judged, and taken or refused.

What fails before its signature is verified is counted and told in health; it is neither written down nor answered.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any

from platefleet.agent.commands.clerk import Clerk
from platefleet.agent.commands.journal import Journal
from platefleet.agent.figures import Figures
from platefleet.models.operations import operations
from platefleet.models.operations.reading import arguments_of
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.codec import decode
from platefleet.protocol.commands.admission import Admitted, Ignored, Known, Rejected, Unjudged, judge
from platefleet.protocol.commands.desk import OPEN_MOST, full
from platefleet.protocol.commands.lifecycle import CancelAsked, Disallowed, Life, TooLate
from platefleet.protocol.commands.order import Order
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import Cancel, Command, Envelope
from platefleet.protocol.messages.command import LIFETIME_NS
from platefleet.protocol.trust import Operator, Reason, Refused, TrustState, is_revoked, open_signed

LOG = logging.getLogger(__name__)
UNKNOWN = Operator("unknown", "operator", "")
"""Who signed what cannot be judged before the clock is good; the key is looked at again then."""
ANSWERED = frozenset({Reason.KEY_ENDED, Reason.KEY_EARLY, Reason.TRUST_ENDED})
"""Refused with a good signature of somebody who may not know: answered, not only counted."""
ANSWERS_MOST = 60
"""Such answers in an hour: each is written down, and an ended key may be in wrong hands."""
HOUR_NS = 3600 * SECOND_NS


class Hearing:
    """Belongs to the commands' thread. trust: how it is now. again: tells a command's status once more."""

    def __init__(
        self,
        device: str,
        journal: Journal,
        clerk: Clerk,
        *,
        trust: Callable[[], TrustState],
        again: Callable[[str], bool],
        now_utc_ns: Callable[[], int | None],
        boot: str,
        clock: Clock,
        figures: Figures,
    ) -> None:
        """now_utc_ns: UTC, None while the clock is not good."""
        self._device, self._journal, self._clerk = device, journal, clerk
        self._trust, self._again, self._now, self._boot = trust, again, now_utc_ns, boot
        self._clock, self._figures = clock, figures
        self._keys_of: TrustState | None = None
        self._refused_ns: dict[str, int] = {}
        self._answered_ns: deque[int] = deque(maxlen=ANSWERS_MOST)
        self._remarked: OrderedDict[str, str] = OrderedDict()
        """The cancel by command that was refused with a sentence: once, however often it is sent."""

    def heard(self, payload: bytes) -> None:
        """Take what came on `down/command`. Raises JournalError where it cannot be written down; nothing was taken."""
        try:
            envelope = decode(Envelope, payload)
        except ProtocolError as error:
            self._refused("malformed", str(error))
            return
        if envelope.type not in {"command", "cancel"}:
            self._refused("malformed", f"an envelope of a {envelope.type} came as a command")
            return
        opened = open_signed(self._trust(), payload, envelope.type, self._now())
        if isinstance(opened, Refused):
            if opened.verified and opened.reason in ANSWERED and self._answered(envelope, opened):
                return
            if opened.reason is not Reason.CLOCK or not opened.verified:
                self._refused("key" if opened.verified else "signature", opened.says)
                return
            operator, body = UNKNOWN, envelope.body
        else:
            operator, body = opened.operator, opened.body
        try:
            message: Command | Cancel
            message = decode(Command, body) if envelope.type == "command" else decode(Cancel, body)
        except ProtocolError as error:
            self._refused("unreadable", f"{operator.name} signed what cannot be read here: {error}")
            return
        if isinstance(message, Cancel):
            self._cancel(message, operator)
        else:
            self._command(message, operator, payload)

    def look_again(self, id_: str) -> None:
        """Judge a command's times and its key, now that the clock is good. Raises JournalError."""
        written = self._clerk.written(id_)
        if written is None:
            return
        opened = open_signed(self._trust(), written.envelope, "command", self._now())
        if isinstance(opened, Refused):
            if not opened.passes:
                self._clerk.advance(id_, Disallowed(opened.says))
            return
        command, operator = decode(Command, opened.body), opened.operator
        verdict = judge(command, self._known())
        reason = self._may(command, operator)[1]
        if isinstance(verdict, Rejected) and verdict.expired:
            self._clerk.advance(id_, TooLate())
        elif isinstance(verdict, (Rejected, Ignored)) or reason:
            said = reason or (verdict.reason if isinstance(verdict, (Rejected, Ignored)) else "")
            self._clerk.advance(id_, Disallowed(said))
        else:
            self._clerk.judged(id_, operator.name, operator.role, choices=_choices(command))

    def look_at_keys(self) -> None:
        """End what waits by the word of a key that was taken back since. Raises JournalError."""
        state = self._trust()
        if state is self._keys_of:
            return
        for id_, entry in self._clerk.entries().items():
            written = self._clerk.written(id_)
            if written is None or not written.envelope or entry.life.state == "running":
                continue
            key = decode(Envelope, written.envelope).key
            if is_revoked(state, key):
                says = f"key {key}, by which it was signed, was revoked before it began"
                self._clerk.advance(id_, Disallowed(says))
        self._keys_of = state

    def look_at_refusals(self) -> None:
        """Let go of troubles that nothing was added to for an hour."""
        now_ns = self._clock.now().mono_ns
        for why in [why for why, at_ns in self._refused_ns.items() if now_ns - at_ns > HOUR_NS]:
            del self._refused_ns[why]
            self._figures.well(f"commands {why}")

    def _command(self, command: Command, operator: Operator, payload: bytes) -> None:
        verdict = judge(command, self._known())
        if isinstance(verdict, Ignored):
            self._refused("foreign", f"a command signed by {operator.name}: {verdict.reason}")
            return
        if self._clerk.written(command.id) is not None:
            self._figures.count("commands_repeated")
            self._again(command.id)
            return
        arguments, reason = self._may(command, operator)
        life = Life()
        first = self._cancelled_first(command)
        if isinstance(verdict, Rejected):
            life = Life("expired" if verdict.expired else "rejected", reason=verdict.reason)
        elif reason:
            life = Life("rejected", reason=reason)
        elif first is not None:
            life = Life("cancelled", reason=f"it was cancelled by {first} before it came")
        elif full(self._clerk.entries()):
            life = Life("rejected", reason=f"{OPEN_MOST} commands are open already; cancel some, or wait")
        order = self._order(command, operator.name, verdict.lives_ns if isinstance(verdict, Unjudged) else None)
        judged = isinstance(verdict, Admitted) and not life.over
        choices = _choices(command) if judged else None  # of what is not judged nobody knows what it builds on
        self._clerk.take(order, arguments, role=operator.role, envelope=payload, life=life, choices=choices)
        self._figures.count(f"commands_{life.state}")
        LOG.info("command %s: %s by %s: %s %s", command.id, order.operation, operator.name, life.state, life.reason)

    def _order(self, command: Command, operator: str, lives_ns: int | None = None) -> Order:
        return Order(
            id=command.id,
            operation=command.operation,
            operator=operator,
            issued_at_ns=command.issued_at,
            not_before_ns=command.not_before,
            not_after_ns=command.not_after,
            received=self._clock.now(),
            boot=self._boot,
            priority=command.priority,
            lives_ns=lives_ns,
        )

    def _may(self, command: Command, operator: Operator) -> tuple[Mapping[str, Any], str]:
        """Return the command's arguments and why it may not be done; empty: it may."""
        operation = operations().get(command.operation)
        if operation is None:
            return command.arguments, f"{command.operation} is no operation of this release; update the agent"
        if operator is not UNKNOWN and not operator.may(operation.role):
            return (
                command.arguments,
                f"{operator.name} is an {operator.role}; {operation.name} takes an {operation.role}",
            )
        if operation.versioned and command.builds_on is None:
            return command.arguments, f"{operation.name} has to name the version of the choices that it builds on"
        try:
            arguments_of(operation, command.arguments)
        except ProtocolError as error:
            return command.arguments, str(error)[:512]
        return command.arguments, ""

    def _cancel(self, cancel: Cancel, operator: Operator) -> None:
        verdict = judge(cancel, self._known())
        if not isinstance(verdict, (Admitted, Unjudged)):
            self._refused("cancel", f"a cancel signed by {operator.name}: {verdict.reason}")
            return
        written = self._clerk.written(cancel.command)
        if written is None:
            if operator is UNKNOWN:  # nobody knows yet whether the key may; the console sends it again
                self._figures.count("commands_cancels_unjudged")
                return
            self._journal.cancel_first(cancel.command, operator, cancel.not_after + LIFETIME_NS)
            self._figures.count("commands_cancelled_first")
            return
        if written.life.over:
            self._again(cancel.command)
            return
        operation = operations().get(written.order.operation)
        if operator is UNKNOWN or (operation is not None and not operator.may(operation.role)):
            self._remark(cancel, f"cancel refused: {operator.name} may not cancel it")
            return
        life = self._clerk.advance(cancel.command, CancelAsked())
        if life is not None and life.state == "running" and life.committed:
            self._remark(cancel, f"cancel refused: {life.step} cannot be undone any more")
            return
        LOG.info("command %s: cancelled by %s", cancel.command, operator.name)

    def _remark(self, cancel: Cancel, says: str) -> None:
        """Answer a cancel that is refused; the same one again with the same status."""
        if self._remarked.get(cancel.command) == cancel.id:
            self._again(cancel.command)
            return
        self._clerk.remark(cancel.command, says)
        self._remarked[cancel.command] = cancel.id
        while len(self._remarked) > OPEN_MOST:
            self._remarked.popitem(last=False)

    def _cancelled_first(self, command: Command) -> str | None:
        """Return who cancelled a command before it came, if that person might."""
        found = self._journal.cancelled_first(command.id)
        operation = operations().get(command.operation)
        if found is None or operation is None:
            return None
        return found.name if found.may(operation.role) and not is_revoked(self._trust(), found.key) else None

    def _answered(self, envelope: Envelope, refused: Refused) -> bool:
        """Reject a command for this device whose key or trust is not valid now; whether that was done.

        The body was signed by a key that the trust names, and has not been taken back.
        """
        try:
            command = decode(Command, envelope.body) if envelope.type == "command" else None
        except ProtocolError:
            return False
        if command is None or (command.device, command.install) != (self._device, self._journal.install):
            return False
        if self._clerk.written(command.id) is not None:
            self._again(command.id)
            return True
        now, adopted = self._clock.now(), self._trust().adopted
        signer = None if adopted is None else adopted.find(envelope.key)
        if signer is None or isinstance(judge(command, self._known()), Ignored):
            return False
        if len(self._answered_ns) == ANSWERS_MOST and now.mono_ns - self._answered_ns[0] < HOUR_NS:
            return False
        order = self._order(command, signer.name)
        self._clerk.take(order, command.arguments, role=signer.role, life=Life("rejected", reason=refused.says[:512]))
        self._answered_ns.append(now.mono_ns)
        self._figures.count("commands_rejected")
        return True

    def _known(self) -> Known:
        return Known(self._device, self._journal.install, self._now(), self._clerk.choices)

    def _refused(self, why: str, sentence: str) -> None:
        """Count what was refused without an answer; health tells the newest reason of each kind."""
        count = self._figures.count(f"commands_refused_{why}")
        self._refused_ns[why] = self._clock.now().mono_ns
        if self._figures.trouble(
            f"commands {why}", f"{count} commands were refused, the last because: {sentence}"[:512]
        ):
            LOG.warning("a command was refused: %s", sentence)


def _choices(command: Command) -> int | None:
    """Return the version that the device's choices have once the command is taken; None: it stays."""
    operation = operations().get(command.operation)
    return (command.builds_on or 0) + 1 if operation is not None and operation.versioned else None
