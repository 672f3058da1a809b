"""Events as they are committed: what the store's coverage has gained since the last look, whatever clocks say.

Coverage is written in the transaction that writes the rows, so nothing is missed that was committed late, out of order
or by another worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from sqlalchemy import select

from platefleet.fleet.questions.errors import Unanswerable
from platefleet.fleet.questions.events_sql import Found, Wanted, committed
from platefleet.fleet.questions.reading import Reader
from platefleet.fleet.store import tables
from platefleet.fleet.store.errors import StoreAway
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.delivery.coverage import Ranges, merge, missing

LOOK_S = 0.5
"""How often the store is looked at, unless a look takes long."""
SHARE = 5
"""A look is followed by a pause this many times as long, so that following costs the database little."""
MOST_RANGES = 500_000
"""Ranges of coverage that are remembered: about 100 MB; a fleet of 1,000 devices has that many after years."""

Known = dict[tuple[str, str], Ranges]
"""(device, epoch) → what is covered of it."""


class Follower:
    """Remembers what was covered, and yields the events that came since. One thread."""

    def __init__(self, reader: Reader, wanted: Wanted) -> None:
        self._reader, self._wanted = reader, wanted
        self._known = _covered(reader, wanted.device)

    def news(self) -> Iterator[Found]:
        """Yield the events committed since the last call. Raises StoreError; what was not yielded comes next time."""
        now = _covered(self._reader, self._wanted.device)
        for outbox, ranges in now.items():
            for first, last in gained(self._known.get(outbox, ()), ranges):
                yield from committed(self._reader, self._wanted, outbox, first, last)
                self._known[outbox] = merge([*self._known.get(outbox, ()), (first, last)])
        self._known = now  # a store restored from a backup covers less than before


def gained(before: Ranges, after: Ranges) -> Ranges:
    """Return what `after` covers and `before` did not; both merged.

    >>> gained(((1, 3), (8, 8)), ((1, 5), (8, 9)))
    ((4, 5), (9, 9))
    """
    new: list[tuple[int, int]] = []
    for first, last in after:
        inside = tuple((max(a, first), min(b, last)) for a, b in before if a <= last and b >= first)
        shifted = tuple((a - first + 1, b - first + 1) for a, b in inside)
        new += [(a + first - 1, b + first - 1) for a, b in missing(shifted, last - first + 1)]
    return tuple(new)


def follow(
    follower: Follower, *, clock: Clock, pause: Callable[[float], None], trouble: Callable[[str], None]
) -> Iterator[Found]:
    """Yield events for ever. pause: waits that many seconds. trouble: gets a sentence when the store cannot be read."""
    told = ""
    while True:
        began_ns = clock.now().mono_ns
        try:
            yield from follower.news()
            told = ""
        except StoreAway as error:
            if str(error) != told:
                told = str(error)
                trouble(told)
        took_s = (clock.now().mono_ns - began_ns) / SECOND_NS
        pause(max(LOOK_S, SHARE * took_s))


def _covered(reader: Reader, device: str) -> Known:
    column = tables.coverage.c
    query = select(column.device, column.epoch, column.first, column.last)
    if device:
        query = query.where(column.device == device)
    query = query.order_by(column.device, column.epoch, column.first).limit(MOST_RANGES + 1)
    with reader.snapshot() as connection:
        rows = connection.execute(query).all()
    if len(rows) > MOST_RANGES:
        raise Unanswerable(f"follow: the store has more than {MOST_RANGES} ranges; name one device with --device.")
    return {name: tuple((row[2], row[3]) for row in some) for name, some in groupby(rows, lambda row: (row[0], row[1]))}
