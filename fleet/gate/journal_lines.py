"""The lines of a gate's journal: `crc32 json`, one an entry."""

from __future__ import annotations

import json
import logging
import zlib
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from platefleet.fleet.gate.facts import Intent, Result
from platefleet.fleet.gate.replay import Entry, Known, Started
from platefleet.protocol.messages import Decision

LOG = logging.getLogger(__name__)
LINE_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Name:
    """The journal's own random name, and the number of the last entry when it was last written anew."""

    name: str
    last: int


def encoded(entry: Entry | Name) -> bytes:
    """Return an entry as its line."""
    match entry:
        case Intent(token, plate, decision, number):
            value: dict[str, Any] = {"intent": token, "n": number, "plate": plate, "decision": _plain(decision)}
        case Result(token, outcome, decision, number):
            value = {"result": token, "n": number, "outcome": outcome, "decision": _plain(decision)}
        case Known(incarnation):
            value = {"incarnation": incarnation}
        case Started(utc_ns, tells):
            value = {"started": utc_ns, "tells": tells}
        case Name(name, last):
            value = {"journal": name, "last": last}
    text = json.dumps(value, separators=(",", ":")).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decoded(data: bytes) -> tuple[list[Entry | Name], int, bool]:
    """Return the entries in `data`, how many whole lines are damaged, and whether the tail is torn."""
    *lines, tail = data.split(b"\n")
    entries: list[Entry | Name] = []
    bad = 0
    for line in lines:
        entry = _entry(line)
        if entry is None:
            bad += 1
        else:
            entries.append(entry)
    return entries, bad, bool(tail)


def _entry(line: bytes) -> Entry | Name | None:  # noqa: PLR0911  # one line a kind
    crc, _, text = line.partition(b" ")
    if len(line) > LINE_LIMIT_BYTES or crc != b"%08x" % zlib.crc32(text):
        return None
    try:
        # Entries of before they were numbered were told by whoever wrote them.
        match {"n": 0, **json.loads(text)}:
            case {"intent": str(token), "n": int(n), "plate": str(plate), "decision": dict(d)}:
                return Intent(token, plate, _decision(d), n)
            case {
                "result": str(token),
                "n": int(n),
                "outcome": "opened" | "failed" | "withdrawn" as o,
                "decision": dict(d),
            }:
                return Result(token, o, _decision(d), n)
            case {"incarnation": str(incarnation)}:
                return Known(incarnation)
            case {"started": int(utc_ns), "tells": bool(tells)}:
                return Started(utc_ns, tells)
            case {"journal": str(name), "last": int(last)}:
                return Name(name, last)
    except (TypeError, ValueError, ValidationError) as error:
        LOG.warning("a journal's entry has its checksum and no meaning: %s", error)
    return None


def _plain(decision: Decision) -> dict[str, Any]:
    return decision.model_dump(mode="json", by_alias=True, exclude_none=True)


def _decision(plain: dict[str, Any]) -> Decision:
    return Decision.model_validate_json(json.dumps(plain))
