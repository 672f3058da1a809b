"""What a person may not have meant who adds a line to an allow-list. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from platefleet.fleet.gate.allow_list import Entry

MOST_NAMED = 3


def remarks(entries: Sequence[Entry], added: Entry, today: dt.date) -> tuple[str, ...]:
    """Return a sentence for each thing that is odd about a line. entries: of the whole list, the new line among them.

    >>> remarks([], Entry("AB1", valid_until=dt.date(2026, 1, 1)), dt.date(2026, 1, 2))
    ('AB1: until 2026-01-01 is past, so this line lets nobody in any more',)
    """
    found = []
    if added.valid_until is not None and added.valid_until < today:
        found.append(f"{added.plate}: until {added.valid_until} is past, so this line lets nobody in any more")
    others = [e for e in entries if e.plate == added.plate and (e.when, e.name) != (added.when, added.name)]
    if others:
        named = "; ".join(f"line {e.line}: {e.when}" for e in others[:MOST_NAMED])
        more = f"; and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
        found.append(f"{added.plate} stands in the list more than once ({named}{more}): any one line lets it in")
    return tuple(found)
