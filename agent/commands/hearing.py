"""What comes on `down/command`, `down/desired` and `trust`: opened, judged, and taken or refused.

What fails before its signature is verified is counted and told in health; it is neither written down nor answered.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from platefleet.agent.commands.bucket import Bucket
from platefleet.agent.commands.cancelling import Cancelling
from platefleet.agent.commands.clerk import Clerk
from platefleet.agent.commands.clockwork import Clockwork
from platefleet.agent.commands.journal import Journal
from platefleet.agent.commands.superseded import newer
from platefleet.agent.figures import Figures
from platefleet.models.operations import operations
from platefleet.models.operations.port import Host
from platefleet.models.operations.reading import arguments_of
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.codec import decode
from platefleet.protocol.commands.admission import Admitted, Ignored, Known, Rejected, Unjudged, judge
from platefleet.protocol.commands.desk import OPEN_MOST, full
from platefleet.protocol.commands.lifecycle import Disallowed, Life, TooLate
from platefleet.protocol.commands.order import Order
from platefleet.protocol.errors import PlatefleetError, ProtocolError
from platefleet.protocol.messages import Cancel, Command, Envelope
from platefleet.protocol.trust import Operator, Reason, Refused, TrustState, is_revoked, open_signed

LOG = logging.getLogger(__name__)
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
        host: Host,
        trust: Callable[[], TrustState],
        again: Callable[[str], bool],
        clockwork: Clockwork,
        boot: str,
        clock: Clock,
        figures: Figures,
        bucket: Bucket | None = None,
    ) -> None:
        """host: what the device is, for operations to look at. clockwork: says how late it is, if that can be known.

        bucket: how many signatures are looked at.
        """
        self._device, self._journal, self._clerk = device, journal, clerk
        self._host, self._trust, self._again, self._boot = host, trust, again, boot
        self._clockwork, self._now = clockwork, clockwork.now_utc_ns
        self._clock, self._figures = clock, figures
        self._keys_of: TrustState | None = None
        self._refused_ns: dict[str, int] = {}
        self._answered_ns: deque[int] = deque(maxlen=ANSWERS_MOST)
        self._bucket = bucket or Bucket()
        self._cancelling = Cancelling(journal, clerk, trust=trust, again=again, figures=figures)

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
        if not self._bucket.take(self._clock.now().mono_ns):
            self._figures.count("commands_dropped")  # a signature costs; whoever meant it sends again
            return
        opened, signed = open_signed(self._trust(), payload, envelope.type, self._now()), False
        if isinstance(opened, Refused):
            if opened.verified and opened.reason in ANSWERED and self._answered(envelope, opened):
                return
            if opened.reason is not Reason.CLOCK or not opened.verified:
                self._refused("key" if opened.verified else "signature", opened.says)
                return
            operator, body = self._named(envelope.key), envelope.body
        else:
            operator, body = opened.operator, opened.body
            signed = True
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
        if signed and isinstance(judge(message, self._known()), Admitted):
            self._clockwork.note(message.issued_at)

    def barred(self, id_: str) -> bool:
        """Judge once more what is to begin: its key, its holder's role, what the device can do, and newer choices.

        Returns whether it may not begin; then it is over.

        Raises JournalError.
        """
        written = self._clerk.written(id_)
        if written is None or not written.envelope:
            return False
        reason = ""
        opened = open_signed(self._trust(), written.envelope, "command", self._now())
        if isinstance(opened, Refused):
            if opened.reason is Reason.CLOCK:
                return False  # the desk holds what has to wait for the clock
            reason = opened.says
        else:
            reason = self._may(decode(Command, opened.body), opened.operator)[1]
            version = None if reason else newer(self._journal, written)
            if version is not None:
                reason = f"a newer choice, version {version}, was made since it was taken"
        if reason:
            self._clerk.advance(id_, Disallowed(reason))
        return bool(reason)

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
        first = self._cancelling.first(command)
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
        anyhow = command.arguments.get("anyhow") is True
        role = "administrator" if anyhow else operation.role
        if not operator.may(role):
            what = f"{operation.name} at any hour" if anyhow else operation.name
            return command.arguments, f"{operator.name} is an {operator.role}; {what} takes an {role}"
        if operation.versioned and command.builds_on is None:
            return command.arguments, f"{operation.name} has to name the version of the choices that it builds on"
        try:
            operation.require(arguments_of(operation, command.arguments), self._host)
        except PlatefleetError as error:
            return command.arguments, str(error)[:512]
        return command.arguments, ""

    def _cancel(self, cancel: Cancel, operator: Operator) -> None:
        verdict = judge(cancel, self._known())
        if isinstance(verdict, (Admitted, Unjudged)):
            self._cancelling.take(cancel, operator)
        else:
            self._refused("cancel", f"a cancel signed by {operator.name}: {verdict.reason}")

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

    def _named(self, key: str) -> Operator:
        """Return who the trust says holds a key, whose times nobody can judge yet; they are looked at again."""
        adopted = self._trust().adopted
        trusted = None if adopted is None else adopted.find(key)
        return Operator("unknown", "operator", key) if trusted is None else Operator(trusted.name, trusted.role, key)

    def _known(self) -> Known:
        return Known(self._device, self._journal.install, self._now(), self._clerk.choices)

    def _refused(self, why: str, sentence: str) -> None:
        """Count what was refused without an answer; health tells the newest reason of each kind."""
        count = self._figures.count(f"commands_refused_{why}")
        self._refused_ns[why] = self._clock.now().mono_ns
        told = "a command was refused" if count == 1 else f"{count} commands were refused, the last"
        says = f"{told} because: {sentence}"[:512]
        if self._figures.trouble(f"commands {why}", says) and count.bit_count() == 1:  # the 1st, 2nd, 4th, 8th, …
            LOG.warning("a command was refused, %d by now: %s", count, sentence)


def _choices(command: Command) -> int | None:
    """Return the version that the device's choices have once the command is taken; None: it stays."""
    operation = operations().get(command.operation)
    return (command.builds_on or 0) + 1 if operation is not None and operation.versioned else None
