"""Commands that no device may carry out, by the thousand: `python -m tests.forged_commands 10000 [--seed 1] [--json]`.

Half are envelopes of `tests.forged`, by somebody who has the broker and no trusted key; half are signed, by people whom
the trust names, at another time, for another device, with arguments that are none, by too low a role. All of them come
to a device with a real journal, as commands and as desired state. Nothing may begin, change or end by them.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.commanded import new_id
from tests.forged import envelopes
from tests.forged_kinds import KINDS, RESTART, SNAPSHOT, Target


def commands(seed: int, target: Target) -> Iterator[tuple[str, bytes]]:
    """Yield bad commands for ever, kind after kind, an unsigned one after each."""
    rng, unsigned = random.Random(seed), envelopes(seed)
    while True:
        for kind, make in KINDS.items():
            yield kind, make(rng, target)
            name, data = next(unsigned)
            yield f"envelope: {name}", data


@dataclass
class Tally:
    """What came of one kind. ms: of the wall clock, the journal's disk included where it was answered."""

    answered: Counter[str] = field(default_factory=Counter)
    counted: int = 0
    acted: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)


def judged(count: int, seed: int, folder: Path) -> dict[str, Tally]:
    """Let a device hear `count` bad commands; return the tallies by kind."""
    target, tallies = Target(folder), {}
    made = commands(seed, target)
    before, told = target.acts(), target.device.journal.last_status()
    for _ in range(count):
        kind, data = next(made)
        tally = tallies.setdefault(kind, Tally())
        began_ns = time.perf_counter_ns()
        try:
            target.hear(data)
        except Exception as error:  # noqa: BLE001 - crashes are what is counted
            tally.crashed.append(f"{type(error).__name__}: {error} ({data.hex()[:200]})")
            continue
        tally.ms.append((time.perf_counter_ns() - began_ns) / 1e6)
        after = target.acts()
        if after != before:
            tally.acted.append(f"{after} ({data.hex()[:400]})")
            before = after
        last = target.device.journal.last_status()
        if last != told:
            tally.answered[target.device.journal.history(1)[0][0].life.state] += 1
        else:
            tally.counted += 1
        told = last
    target.device.journal.close()
    return tallies


def taken(folder: Path) -> list[str]:
    """Return which genuine things the same device does not act on: none, or the figures mean nothing."""
    target = Target(folder)
    genuine = {
        "command": target.a_command("olga", **SNAPSHOT),
        "administrator's": target.a_command(**RESTART),
        "cancel": target.a_cancel("anna", target.open),
        "cancel first": target.a_cancel("anna", new_id()),
        "desired": target.a_desired(active={"plate": "0" * 32}),
    }
    found = []
    for name, data in genuine.items():
        before = target.acts()
        target.hear(data)
        found += [] if target.acts() != before else [name]
    target.device.journal.close()
    return found


def main() -> int:
    """Print the tallies; return 1 if anything was carried out or crashed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        tallies = judged(options.count, options.seed, Path(name) / "judged")
        refused = taken(Path(name) / "taken")
    every = sorted(ms for tally in tallies.values() for ms in tally.ms)
    total = {
        "commands": options.count,
        "seed": options.seed,
        "carried out": sum(len(tally.acted) for tally in tallies.values()),
        "crashed": sum(len(tally.crashed) for tally in tallies.values()),
        "genuine refused": refused,
        "ms p50": round(statistics.median(every), 3),
        "ms p99": round(every[int(len(every) * 0.99)], 3),
    }
    rows = [
        {
            "kind": kind,
            "count": len(tally.ms) + len(tally.crashed),
            "counted": tally.counted,
            "answered": dict(tally.answered),
            "ms p50": round(statistics.median(tally.ms or [0.0]), 3),
            "ms p99": round(sorted(tally.ms or [0.0])[int(len(tally.ms) * 0.99)], 3) if tally.ms else 0.0,
        }
        for kind, tally in tallies.items()
    ]
    if options.json:
        print(json.dumps({"total": total, "kinds": rows}))
    else:
        print("\n".join(map(str, rows)))
        print("\n".join([*(line for tally in tallies.values() for line in (*tally.acted, *tally.crashed))][:20]))
        print(json.dumps(total))
    return 1 if total["carried out"] or total["crashed"] or refused else 0


if __name__ == "__main__":
    sys.exit(main())
