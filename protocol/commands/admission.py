"""Whether a command that came is taken: judged after its signature, before anything is written down.

>>> from platefleet.protocol.ids import uuid7
>>> known = Known(device="north-1", install="a" * 32, now_utc_ns=10**18)
>>> said = {"device": "north-2", "install": "a" * 32, "operation": "snapshot"}
>>> judge(Command(id=uuid7(1, bytes(10)), **said, issued_at=10**18, not_after=10**18 + 1), known)
Ignored(reason='it is for north-2')
"""

from __future__ import annotations

from dataclasses import dataclass

from platefleet.protocol.messages.command import LIFETIME_NS, Cancel, Command

AHEAD_NS = 300 * 1_000_000_000
"""So far may an operator's clock be ahead of a device's."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the device knows of itself. now_utc_ns: None while its clock is not good. choices: their version."""

    device: str
    install: str
    now_utc_ns: int | None
    choices: int = 0


@dataclass(frozen=True, slots=True)
class Admitted:
    """It is taken."""


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Its times cannot be judged before the clock is good. It is kept for `lives_ns` from now, by monotonic time."""

    lives_ns: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """It is answered, and never carried out. expired: because its time is over."""

    reason: str
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Ignored:
    """It is none of this device's, or too old to be remembered: counted, neither written down nor answered."""

    reason: str


Verdict = Admitted | Unjudged | Rejected | Ignored


def judge(message: Command | Cancel, known: Known) -> Verdict:  # noqa: PLR0911 - one line for each reason
    """Return whether a message with a good signature is taken. Whether its id came before is the journal's to say."""
    lives_ns = message.not_after - message.issued_at
    now_ns = known.now_utc_ns
    if message.device != known.device:
        return Ignored(f"it is for {message.device}")
    if now_ns is not None and now_ns - message.issued_at > LIFETIME_NS:
        return Ignored("it was issued more than 14 days ago, longer than ids are remembered")
    if message.install != known.install:
        return Rejected("it was signed before this device was set up anew; look at the device and sign it again")
    if lives_ns <= 0:
        return Rejected("it ends before it begins; give it a later not_after")
    if lives_ns > LIFETIME_NS:
        return Rejected("it would live longer than 14 days; give it an earlier not_after")
    if isinstance(message, Command) and not _in_order(message):
        return Rejected("it may not begin before it is over; give it an earlier not_before")
    if now_ns is None:
        return Unjudged(lives_ns)
    if message.issued_at - now_ns > AHEAD_NS:
        ahead_s = (message.issued_at - now_ns) // 1_000_000_000
        return Rejected(f"it was issued {ahead_s} s after now by this device's clock; set the operator's clock right")
    if now_ns > message.not_after:
        return Rejected("it came after its time was over; sign it again", expired=True)
    if isinstance(message, Command) and message.builds_on is not None and message.builds_on != known.choices:
        return Rejected(
            f"it builds on version {message.builds_on} of this device's choices, which are at version {known.choices} "
            "now; look at them and sign it again"
        )
    return Admitted()


def _in_order(command: Command) -> bool:
    return command.not_before is None or command.not_before < command.not_after
