"""Simulated nights of one device, and a judge who knows only what was to be seen from outside.

    python -m tests.nights 30 --seed 4

The clock is turned through whole days in Europe/Berlin with a change of daylight saving time in the middle (an even
seed: in spring; an odd one: in autumn): rush hours, single cars at night, nights in which they never stop, power cuts
at any commit of the journal and in between, builds that want memory or fail, hot and short-of-memory hours, another
TensorRT from the middle on, an operator's order, a day off. `night_device` says what is real and what is scripted.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from tests.night_judge import ends, faults
from tests.night_life import RULES_DAYS, Lived, is_open, live, moment
from tests.night_stage import MINUTE_NS


def table(lived: Lived) -> Iterator[str]:
    """Yield a line for each night."""
    last, log = ends(lived), lived.device.stage.log
    yield "night       open   cars cuts  what began (times), and how it stood in the end"
    for number in range(lived.days):
        day = lived.first + timedelta(days=number)
        begin, end = moment(day, 12), moment(day + timedelta(days=1), 12)
        minutes = sum(is_open(ns, lived.off) for ns in range(begin, end, MINUTE_NS))
        cars = sum(begin <= ns < end and is_open(ns, lived.off) for ns in lived.cars)
        cuts = sum(begin <= ns < end for ns in lived.cuts)
        begun: dict[str, int] = {}
        for note in log:
            if note.what == "begin" and begin <= note.true_ns < end:
                begun[note.id] = begun.get(note.id, 0) + 1
        said = [
            f"{last[id_][1]}×{times} {last[id_][2]} ({last[id_][0]})" for id_, times in begun.items() if id_ in last
        ]
        yield f"{day:%a %d %b}  {minutes / 60:4.1f} h {cars:4} {cuts:4}  {', '.join(said) or '-'}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nights", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lived = live(Path(folder), options.nights, options.seed)
        print("\n".join(table(lived)))
        last = list(ends(lived).values())
        for name in ("engines", "retry", *RULES_DAYS):
            states = [state for operator, _, state, _ in last if operator == f"rule:{name}"]
            counted = ", ".join(f"{states.count(each)} {each}" for each in dict.fromkeys(states))
            print(f"rule {name:9}: {counted or 'nothing due'}")
        for operator, operation, state, reason in last:
            if state not in {"succeeded", "accepted"}:
                print(f"  {operation} ({operator}) {state}: {reason}")
        begins = [note for note in lived.device.stage.log if note.what == "begin"]
        told = len(lived.device.told)
        print(f"{len(begins)} tries of {len(last)} commands, {len(lived.cuts)} power cuts, {told} statuses")
        wrong = list(faults(lived))
        print("\n".join(f"wrong: {each}" for each in wrong) or "nothing was wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
