"""Anti-passback: who went into an area and did not come out of it. Pure, but for the notes' names.

What is known is a fold over what the outbox is told; each step is noted in the transaction of its record, so it is
neither lost nor done twice. Who came in by hand has no plate and is not known; who leaves without having come in may.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from platefleet.fleet.gate.facts import Rule
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.messages import Decision

INSIDE = "gate: inside "
INSIDE_MOST = 3000
"""Plates that are remembered; whoever went in longest ago is forgotten first."""
Change = dict[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Inside:
    """By (area, plate): when it went in, UTC in nanoseconds, 0 where the clock was not good; oldest first."""

    since: Mapping[tuple[str, str], int]

    def of(self, area: str, now_utc_ns: int | None, forget_s: int) -> dict[str, int]:
        """Return the plates inside an area. now_utc_ns: None while the clock is not good; then nothing expires."""
        return {
            plate: at_ns
            for (where, plate), at_ns in self.since.items()
            if where == area and not _expired(at_ns, now_utc_ns, forget_s)
        }


def step(inside: Inside, said: Decision, rule: Rule | None) -> tuple[Inside, Change]:
    """Return who is inside after a decision, and what has to be noted. rule: of its lane, None if it has none.

    Somebody came through where the output moved, and where the lane was held open.
    """
    came = said.verdict == ("held open" if said.phase == "refusal" else "opened") and said.phase != "intent"
    plate = said.entry
    if rule is None or not rule.area or not came or not plate:
        return inside, {}
    key = (rule.area, plate)
    since = {each: at_ns for each, at_ns in inside.since.items() if each != key}
    if rule.way == "out":
        return Inside(since), {_name(*key): None}
    since[key] = 0 if said.decided.clock == "unsynced" else said.decided.utc_ns
    notes: Change = {_name(*key): str(since[key]).encode("ascii")}
    for old in list(since)[:-INSIDE_MOST]:
        del since[old]
        notes[_name(*old)] = None
    return Inside(since), notes


def forgiven(inside: Inside, plate: str) -> tuple[Inside, Change]:
    """Return who is inside when a plate is taken as outside, whatever was seen of it."""
    gone = [key for key in inside.since if key[1] == plate]
    return Inside({k: v for k, v in inside.since.items() if k not in gone}), {_name(*key): None for key in gone}


def expired(inside: Inside, now_utc_ns: int | None, forget_s: int) -> tuple[Inside, Change]:
    """Return who is inside when those of long ago are taken as outside."""
    gone = [key for key, at_ns in inside.since.items() if _expired(at_ns, now_utc_ns, forget_s)]
    return Inside({k: v for k, v in inside.since.items() if k not in gone}), {_name(*key): None for key in gone}


def known(notes: Mapping[str, bytes]) -> Inside:
    """Return who is inside by the notes that were kept."""
    return Inside(dict(sorted(_read(notes), key=lambda each: each[1])))


def _read(notes: Mapping[str, bytes]) -> Iterable[tuple[tuple[str, str], int]]:
    for name, value in notes.items():
        area, _, plate = name.removeprefix(INSIDE).rpartition(" ")
        if name.startswith(INSIDE) and area and value.isdigit():
            yield (area, plate), int(value)


def _name(area: str, plate: str) -> str:
    return f"{INSIDE}{area} {plate}"


def _expired(at_ns: int, now_utc_ns: int | None, forget_s: int) -> bool:
    return now_utc_ns is not None and at_ns > 0 and now_utc_ns - at_ns >= forget_s * SECOND_NS
