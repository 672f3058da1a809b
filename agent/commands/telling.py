"""Statuses from the journal into the outbox, once each, and out of it live; a status that is asked for again."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable

from platefleet.agent.commands.journal import Journal
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.codec import decode
from platefleet.protocol.delivery.frame import Record
from platefleet.protocol.delivery.outbox import Outbox
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import CommandStatus

LOG = logging.getLogger(__name__)
NOTE = "commands"
"""The note in the outbox, written with each status record: up to which number statuses were told, and of which journal,
by its install id."""
REMEMBERED = 256
NEWEST = 32
"""So many statuses are told to an outbox that does not know which it was told: a new one, or another journal's."""
AGAIN_NS = SECOND_NS
"""A status is repeated at most once in so long."""

TellLive = Callable[[Record, int], None]


class Telling:
    """Belongs to the commands' thread, but for the journal, which others write."""

    def __init__(self, journal: Journal, outbox: Outbox, live: TellLive, clock: Clock) -> None:
        """live: sends a record's live copy; takes the moment of what it tells, monotonic."""
        self._journal, self._outbox, self._live, self._clock = journal, outbox, live, clock
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._repeated_ns: OrderedDict[str, int] = OrderedDict()
        self._anew_ns: int | None = None
        self._told = self._begin()

    @property
    def told(self) -> int:
        """The number of the last status that the outbox has."""
        return self._told

    def tell(self) -> int:
        """Append what was not told yet; return how many. Raises OutboxError, JournalError; the rest stays."""
        count = 0
        for number, body in self._journal.untold(self._told):
            try:
                self._tell(decode(CommandStatus, body), number)
            except ProtocolError as error:  # another release wrote it; the next change of its command tells it anew
                LOG.error("status %d cannot be told: %s", number, error)
            self._told = number
            count += 1
        return count

    def again(self, id_: str) -> bool:
        """Tell the newest status of a command once more; whether that was done: at most once a second.

        Its own record is sent again; one that is not known any more is written anew, at most one a second of all.
        """
        self.tell()  # in order: what was not told yet goes first
        now_ns = self._clock.now().mono_ns
        before = self._repeated_ns.get(id_)
        body = self._journal.status(id_)
        if body is None or (before is not None and now_ns - before < AGAIN_NS):
            return False
        status = decode(CommandStatus, body)
        record = self._records.get(id_)
        if record is None or record.body != body:
            if self._anew_ns is not None and now_ns - self._anew_ns < AGAIN_NS:
                return False
            self._anew_ns = now_ns
            self._tell(status, self._told)
        else:
            self._live(record, now_ns)
        self._repeated_ns[id_] = now_ns
        self._repeated_ns.move_to_end(id_)
        while len(self._repeated_ns) > REMEMBERED:
            self._repeated_ns.popitem(last=False)
        return True

    def _tell(self, status: CommandStatus, number: int) -> None:
        note = f"{self._journal.install}:{number}".encode("ascii")
        record = self._outbox.append("status", status, keep={NOTE: note})
        self._records[status.command] = record
        self._records.move_to_end(status.command)
        while len(self._records) > REMEMBERED:
            self._records.popitem(last=False)
        self._live(record, self._clock.now().mono_ns)

    def _begin(self) -> int:
        """Return up to which status was told: of another journal, which was lost, says nothing of this one's.

        An outbox that knows nothing is told of what is open from its beginning, and the newest few.
        """
        last = self._journal.last_status()
        install, _, number = self._outbox.kept(NOTE).get(NOTE, b"").decode("ascii", "replace").partition(":")
        if number.isdecimal() and install == self._journal.install:
            return min(int(number), last)
        first = self._journal.first_of_open()
        return max(0, min(last - NEWEST, last if first is None else first - 1))
