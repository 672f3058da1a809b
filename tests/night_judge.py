"""Judges nights that a device lived through, by nothing but what was to be seen from outside."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from datetime import datetime

from platefleet.models.artifacts.key import key_of
from platefleet.protocol.clock import SECOND_NS
from tests.night_life import GRACE_S, QUIET_S, RULES_DAYS, TICK_S, ZONE, Lived, is_open
from tests.night_stage import NEW


def faults(lived: Lived) -> Iterator[str]:
    """Yield a sentence for each thing that may not happen."""
    yield from _begins(lived)
    yield from _runs(lived)
    yield from _trails(lived)
    yield from _rules(lived)


def _said(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // SECOND_NS, ZONE):%a %d %b %H:%M:%S}"


def _heavy(lived: Lived, operation: str) -> bool:
    return lived.device.known[operation].in_window


def _begins(lived: Lived) -> Iterator[str]:
    for note in lived.device.stage.log:
        if note.what != "begin" or not _heavy(lived, note.operation):
            continue
        at = f"{note.operation} {note.id[-6:]} at {_said(note.true_ns)}"
        if not is_open(note.true_ns, lived.off):
            yield f"{at}: began outside the window"
        for begin, end, kind in lived.trouble:
            wants = kind == "hot" or note.operation in {"build", "benchmark", "evaluate"}
            if wants and begin <= note.true_ns < end:
                yield f"{at}: began while the machine was hot or short of memory ({kind})"
        number = bisect.bisect_right(lived.cars, note.true_ns) - 1
        last_ns = lived.cars[number] if number >= 0 else 0
        seen = last_ns > lived.boots[note.boot - 1]  # nobody knows of a car that was there while there was no power
        if seen and note.true_ns - last_ns < QUIET_S * SECOND_NS:
            yield f"{at}: began {(note.true_ns - last_ns) / SECOND_NS:.0f} s after a car"


def _runs(lived: Lived) -> Iterator[str]:
    """Yield what ran where it may not: past end and grace, or while a car was there."""
    slack_ns = round(3 * TICK_S * SECOND_NS)
    for note in lived.device.stage.log:
        if note.what not in {"work", "end"} or not _heavy(lived, note.operation):
            continue
        wall = _said(note.true_ns)
        late_ns = GRACE_S * SECOND_NS + slack_ns
        if not is_open(note.true_ns, lived.off) and not is_open(note.true_ns - late_ns, lived.off):
            yield f"{note.operation} {note.id[-6:]} ran at {wall}, past the window's end and its grace"
        number = bisect.bisect_right(lived.cars, note.true_ns) - 1
        since_ns = note.true_ns - lived.cars[number] if number >= 0 else 1 << 62
        if note.what == "work" and slack_ns < since_ns < 15 * SECOND_NS:
            yield f"{note.operation} {note.id[-6:]} worked at {wall}, {since_ns / SECOND_NS:.0f} s after a car"


def _trails(lived: Lived) -> Iterator[str]:
    """Yield where statuses are missing, or do not say how a command ended."""
    trails: dict[str, dict[int, str]] = {}
    for status in lived.device.told:
        trails.setdefault(status.command, {})[status.number] = status.state
        if status.state in {"failed", "expired", "rolled_back", "rejected"} and not status.reason:
            yield f"{status.operation} {status.command[-6:]}: {status.state} without a reason"
        if status.state == "waiting" and not (status.reason or (status.why is not None and status.why.says)):
            yield f"{status.operation} {status.command[-6:]}: waits and does not say for what"
    for id_, trail in trails.items():
        if sorted(trail) != list(range(1, len(trail) + 1)):
            yield f"{id_[-6:]}: its statuses {sorted(trail)} have holes"
        over = [state for _, state in sorted(trail.items()) if state in OVER]
        if len(over) > 1 or (over and trail[max(trail)] != over[0]):
            yield f"{id_[-6:]}: ended more than once: {over}"
    known = {note.id for note in lived.device.stage.log}
    if known - set(trails):
        yield f"{known - set(trails)} ran and nothing was told of them"


OVER = ("succeeded", "failed", "rolled_back", "cancelled", "expired", "rejected")


def ends(lived: Lived) -> dict[str, tuple[str, str, str, str]]:
    """Return operator, operation, last state and reason of every command."""
    return {
        each.command: (each.operator, each.operation, each.state, each.reason or (each.why.says if each.why else ""))
        for each in sorted(lived.device.told, key=lambda each: each.number)
    }


def _rules(lived: Lived) -> Iterator[str]:
    """Yield which rule's work was neither done nor reported with a reason."""
    last = ends(lived)
    by = {name: [each for each in last.values() if each[0] == f"rule:{name}"] for name in ("engines", *RULES_DAYS)}
    if any(each[0] == "ada" and "after 5 tries" in each[3] for each in last.values()):
        by["retry"] = [each for each in last.values() if each[0] == "rule:retry"]
    for name, found in by.items():
        if not found:
            yield f"rule {name} asked for nothing"
        for _, operation, state, reason in found:
            if state not in {"succeeded", "accepted", "running"} and not reason:
                yield f"rule {name}: {operation} is {state} and nobody says why"
        if lived.days > 5 and name != "engines" and not any(each[2] == "succeeded" for each in found):
            yield f"rule {name}: nothing of it was done: {found}"
    store = lived.device.host.store
    active = store.active("plate")
    assert active is not None
    serves = store.passport("plate", active.key)
    built = [each for each in by["engines"] if each[1] == "build"]
    if lived.days > 5 and key_of(serves.recipe, NEW) != serves.key:
        yield f"the engine that serves is of {serves.machine.tensorrt}: {built}"
