"""Why something signed is not taken: a word to count by, and a sentence for a person."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Reason(enum.Enum):
    """Why a trust message is not adopted, or why nobody is commanded by a key. The value names it in counters."""

    NO_MESSAGE = "no message"
    """The bytes are no envelope, or what was signed is no such message."""
    TYPE = "type"
    """It was signed as another type."""
    NO_ROOT = "no root"
    """The key is none of the roots."""
    SIGNATURE = "signature"
    """The signature does not fit."""
    UNFIT = "unfit"
    """It names a key twice, or one by which anybody could sign."""
    OLDER = "older"
    """A higher version was seen."""
    CLASH = "clash"
    """The same version was seen with another content: an alarm."""
    TOO_LONG = "too long"
    """It would hold longer than a trust may, or ends before it begins."""
    TRUST_ENDED = "trust ended"
    """It has ended; so does a withheld revocation."""
    TRUST_EARLY = "trust early"
    """It was issued after now: one of the two clocks is wrong."""
    NO_TRUST = "no trust"
    """Nothing was adopted yet."""
    UNKNOWN_KEY = "unknown key"
    """The trust does not name the key."""
    REVOKED = "revoked"
    """The key was taken back."""
    KEY_EARLY = "key early"
    """The key is not valid yet."""
    KEY_ENDED = "key ended"
    """The key is not valid any more."""
    CLOCK = "clock"
    """Nobody knows what time it is: wait, or ask again when the clock is good."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Not taken. says: one sentence. verified: the signature was found good before the reason to refuse was."""

    reason: Reason
    says: str
    verified: bool = False

    @property
    def alarm(self) -> bool:
        """Whether a person must hear of it: two contents were signed as one version, so a root key is misused."""
        return self.reason is Reason.CLASH

    @property
    def passes(self) -> bool:
        """Whether waiting may help: the clock will be set."""
        return self.reason is Reason.CLOCK
