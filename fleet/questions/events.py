"""`platefleet fleet events`: the question asked and its answer shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from platefleet.fleet.questions.errors import Unanswerable
from platefleet.fleet.questions.events_show import HEADS, NAMES, PICTURES, as_cells, as_row
from platefleet.fleet.questions.events_sql import Found, Wanted, newest_first, some_without_time
from platefleet.fleet.questions.follow import Follower, follow
from platefleet.fleet.questions.pictures import Album
from platefleet.fleet.questions.reading import Reader
from platefleet.fleet.questions.sheets import Form, sheet
from platefleet.protocol.clock import Clock

MOST_BEFORE_FOLLOWING = 10_000
"""Events shown before following begins, which are remembered so that none is shown twice."""


@dataclass(frozen=True, slots=True)
class Asked:
    """limit: events shown, 0 for all; when following, of those that are there already. crops: a folder for pictures."""

    wanted: Wanted
    form: Form = "table"
    limit: int = 50
    follow: bool = False
    crops: Path | None = None


def run(
    asked: Asked,
    reader: Reader,
    out: TextIO,
    remark: Callable[[str], None],
    *,
    clock: Clock,
    pause: Callable[[float], None],
) -> int:
    """Show the events; return how many. remark: takes a sentence for the person. Follows until it is interrupted."""
    names = NAMES if asked.crops is None else (*NAMES, *PICTURES)
    shown = sheet(asked.form, out, HEADS, names)
    album = None if asked.crops is None else Album(asked.crops, reader)
    count = 0
    for found in _events(asked, reader, remark, clock, pause):
        pictures = None if album is None else album.save(found, this_revision=asked.wanted.all_revisions)
        shown.add(as_row(found, pictures), as_cells(found))
        count += 1
        if asked.follow:
            shown.flush()
    shown.flush()
    if not count:
        remark("no event fits")
    if asked.limit and count == asked.limit:
        remark(f"the newest {count} are shown; --limit 0 shows all, --until the older ones")
    if album is not None and album.refused:
        remark(f"{album.refused} pictures were left out: they are no JPEG")
    bounded = asked.wanted.since_ns is not None or asked.wanted.until_ns is not None
    if bounded and some_without_time(reader, asked.wanted):
        remark("of some events nobody knows the time, the device's clock was not set; without --since they stand last")
    return count


def _events(
    asked: Asked, reader: Reader, remark: Callable[[str], None], clock: Clock, pause: Callable[[float], None]
) -> Iterator[Found]:
    if not asked.follow:
        yield from islice(newest_first(reader, asked.wanted), asked.limit or None)
        return
    if asked.wanted.until_ns is not None or not 1 <= asked.limit <= MOST_BEFORE_FOLLOWING:
        raise Unanswerable(f"follow: goes without --until, and with a limit from 1 to {MOST_BEFORE_FOLLOWING}.")
    follower = Follower(reader, asked.wanted)
    before = list(islice(newest_first(reader, asked.wanted), asked.limit))
    shown = {_name(found) for found in before}
    yield from reversed(before)
    for found in follow(follower, clock=clock, pause=pause, trouble=remark):
        if _name(found) not in shown:
            yield found


def _name(found: Found) -> tuple[str, str, int]:
    return found["device"], found["epoch"], found["seq"]
