"""What lies on a killed device's disk, held against what its command is said to have become; from outside."""

from __future__ import annotations

import json
import sqlite3
import time

from platefleet.models.operations import operations
from platefleet.models.operations.reading import result_of
from platefleet.protocol.clock import Instant
from platefleet.protocol.codec import decode
from platefleet.protocol.commands.lifecycle import TERMINAL
from platefleet.protocol.delivery.durable import open_outbox
from platefleet.protocol.messages import CommandStatus, Window
from tests.commanded import DEVICE
from tests.killed_sites import ROLE, Site
from tests.trust_builders import T0


class Clock:
    """Runs; its UTC is near the time at which the trust was issued, however old this test is."""

    def __init__(self, began_ns: int) -> None:
        self._began_ns = began_ns
        self.boot = "boot"

    def now(self) -> Instant:
        mono_ns = time.monotonic_ns()
        return Instant(T0 + mono_ns - self._began_ns, mono_ns)


def judged(operation: str, site: Site, died: int) -> tuple[str, list[str]]:
    """Return how the command ended and what contradicts that on the disk."""
    wrong: list[str] = []

    def must(true: bool, says: str) -> None:
        if not true:
            wrong.append(says)

    with sqlite3.connect(f"file:{site.folder}/{DEVICE}.commands?mode=ro", uri=True) as database:
        commands = database.execute('SELECT id, "over", life, number FROM command').fetchall()
        told = [row[0] for row in database.execute("SELECT body FROM status ORDER BY n")]
        choices = database.execute("SELECT value FROM meta WHERE name = 'choices'").fetchone()
        window = database.execute("SELECT value FROM meta WHERE name = 'window'").fetchone()
    must([row[0] for row in commands] == [site.id], f"commands in the journal: {commands}")
    statuses = [decode(CommandStatus, body) for body in told]
    states = [status.state for status in statuses]
    life = json.loads(commands[0][2])
    must(commands[0][1] == 1 and life["state"] == states[-1], f"it is {life}, and {states} were told")
    must([each.number for each in statuses] == list(range(1, len(statuses) + 1)), f"numbers {told}")
    must(states[0] == "accepted" and states.count("accepted") == 1, f"states {states}")
    must([state for state in states if state in TERMINAL] == states[-1:], f"states {states}")
    attempts = [each.attempt for each in statuses]
    must(attempts == sorted(attempts) and attempts[-1] <= died + 1, f"attempts {attempts}, killed {died} times")
    kept = [(each.number, each.state) for each in _in_outbox(site)]
    once = [each for number, each in enumerate(kept) if each not in kept[max(0, number - 1) : number]]
    must(once == [(each.number, each.state) for each in statuses], f"the outbox has {kept}, and {states} were told")
    versioned = operations()[operation].versioned
    must((choices and choices[0]) == ("1" if versioned else None), f"choices {choices}")
    active = json.loads((site.folder / "store" / ROLE / "active.json").read_text())
    artifacts = sorted(each.name for each in (site.folder / "store" / ROLE / "built").iterdir())
    asked = (site.folder / "asked").read_text().count("\n") if (site.folder / "asked").exists() else 0
    state, last = states[-1], statuses[-1]
    here = (active["key"], active["previous"], active["confirmed"])
    before, changed = (site.serves, site.served, True), active["number"] - site.number
    result = None if last.result is None else result_of(operations()[operation], last.result)
    must((result is not None) == (state == "succeeded"), f"{state} with {result}")
    must(len(kept) - len(once) <= died + asked, f"killed {died} times, the outbox has {kept}")
    must(asked <= (operation == "restart"), f"it was asked to begin anew {asked} times")
    must(state == "succeeded" or operation == "activate", f"{state}: {last.reason}")
    if operation == "rollback":
        must(here == (site.served, None, True) and changed == 1, f"active: {active}")
    elif operation == "activate":
        after = (site.served, site.serves, True) if state == "succeeded" else (site.serves, None, True)
        untouched = state == "rolled_back" and changed == 0 and here == before
        must(untouched or (here == after and changed == 2), f"{state}, active: {active}")
    else:
        must(here == before and changed == 0, f"active: {active}")
    if operation == "set-window" and result is not None:
        must(window is not None and Window.model_validate_json(window[0]) == result.window, f"window {window}")
        must(result.before == Window() and result.window.zone == "Europe/Berlin", f"{result}")
    else:
        must(window is None, f"window {window}")
    new = sorted({*artifacts} - {*site.artifacts})
    made = operation in {"build", "evaluate"}  # evaluate makes the baseline that it compares with
    must(len(new) == made and {*site.artifacts} <= {*artifacts}, f"artifacts made: {new}")
    return state, wrong


def _in_outbox(site: Site) -> list[CommandStatus]:
    outbox = open_outbox(site.folder / "outbox", clock=Clock(site.began_ns), slow_s=60.0)
    records = [outbox.read(entry.key) for entry in outbox.waiting(None, 10_000)]
    return [decode(CommandStatus, each.body) for each in records if each is not None and each.type == "status"]
