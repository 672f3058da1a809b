"""What a gate's tests are made of: each builder names only what matters to the test that calls it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from platefleet.fleet.gate.allow_list import AllowList, parse
from platefleet.fleet.gate.facts import Announced, Intent, Moment, Rule
from platefleet.fleet.gate.match import EXACT, Matching
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import Alternative, CharacterRead, Decision, PlateEvent, Stamp

BOOT = "11111111-1111-1111-1111-111111111111"
UTC_NS = 1_795_435_200_000_000_000
"""Monday, 23 November 2026, 12:00 UTC."""
DAY = dt.date(2026, 11, 23)
RULE = Rule("gate-1", "north-1", "entry", "barrier")
ON_THE_LIST = "B123ABC"
SECOND = 1_000_000_000


def a_pass_id(number: int = 0) -> str:
    return uuid7(1_795_000_000_000, number.to_bytes(10, "big"))


def a_moment(seconds: float = 0.0, *, day: dt.date | None = DAY, held: str = "", boot: str = BOOT) -> Moment:
    """Some time after 100 s of uptime, at which the clock is good unless `day` is None."""
    mono_ns = int((100 + seconds) * SECOND)
    clock: Any = "unsynced" if day is None else "synced"
    return Moment(
        mono_ns, Stamp(utc_ns=UTC_NS + int(seconds * SECOND), mono_ns=mono_ns, boot=boot, clock=clock), day, held
    )


def an_event(
    text: str = ON_THE_LIST, *, number: int = 0, alternatives: dict[int, str] | None = None, **changes: Any
) -> PlateEvent:
    """One revision of a pass. alternatives: what else the reader offers, by place from 0, with confidence 0.3."""
    stamp = a_moment().stamp
    characters = tuple(
        CharacterRead(
            text=symbol,
            confidence=0.6,
            alternatives=tuple(Alternative(text=o, confidence=0.3) for o in (alternatives or {}).get(place, "")),
        )
        for place, symbol in enumerate(text)
    )
    fields: dict[str, Any] = {
        "pass": a_pass_id(number),
        "revision": 1,
        "final": False,
        "lane": "entry",
        "captured": stamp,
        "first_seen": stamp,
        "text": text,
        "characters": characters,
        "mean": 0.6,
        "minimum": 0.6,
        "direction": "approaching",
        "frames": 5,
    }
    return PlateEvent.model_validate({**fields, **changes})


def announced(text: str = ON_THE_LIST, *, age_ms: int | None = 100, **changes: Any) -> Announced:
    return Announced(an_event(text, **changes), age_ms)


def a_list(
    *lines: str, matching: Matching = EXACT, header: str = "plate,valid_from,valid_until,weekdays,name"
) -> AllowList:
    return parse("\n".join([header, *(lines or (ON_THE_LIST,)), ""]).encode(), "allow.csv", matching)


def an_intent(number: int = 0, plate: str = ON_THE_LIST, seconds: float = 0.0, boot: str = BOOT) -> Intent:
    decision = Decision.model_validate(
        {
            "gate": "gate-1",
            "phase": "intent",
            "verdict": "opened",
            "reason": "on the list",
            "device": "north-1",
            "lane": "entry",
            "pass": a_pass_id(number),
            "revision": 1,
            "text": plate,
            "decided": a_moment(seconds, boot=boot).stamp,
        }
    )
    return Intent(a_pass_id(number), plate, decision)
