"""What may be said of a plate that was read, and the port of whoever says it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from platefleet.protocol.messages import CharacterRead


@dataclass(frozen=True, slots=True)
class Judgement:
    """`opened`: may come in. plate: the list's plate that was meant, empty if none. reason: for a person."""

    verdict: Literal["opened", "not on the list", "not valid now", "ambiguous", "clock"]
    reason: str
    plate: str = ""


class Listing(Protocol):
    """Whoever knows which plates may come in."""

    @property
    def version(self) -> str:
        """Changes when the answers may have changed: a plate that was not on the list is then judged again.

        Empty: no answer stands, each announcement asks.
        """
        ...

    def judge(self, text: str, characters: Sequence[CharacterRead], day: dt.date | None) -> Judgement:
        """Return whether a plate may come in. day: today in the gate's zone, None where the clock is not good."""
        ...
