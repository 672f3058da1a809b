"""Statuses from the journal into the outbox, once each, and out of it live; a status that is asked for again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from platefleet.agent.commands.journal import Journal
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.codec import decode
from platefleet.protocol.delivery.frame import Record
from platefleet.protocol.delivery.outbox import Outbox
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.messages import CommandStatus

NOTE = "commands"
"""The note in the outbox, written with each status record: up to which number statuses were told, and of which journal,
by its install id."""
REMEMBERED = 256
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
        self._told = self._begin()

    @property
    def told(self) -> int:
        """The number of the last status that the outbox has."""
        return self._told

    def tell(self) -> int:
        """Append what was not told yet; return how many. Raises OutboxError, JournalError; the rest stays."""
        count = 0
        for number, body in self._journal.untold(self._told):
            status = decode(CommandStatus, body)
            self._tell(status, number)
            self._told = number
            count += 1
        return count

    def again(self, id_: str) -> bool:
        """Tell the newest status of a command once more; whether that was done: at most once a second."""
        now_ns = self._clock.now().mono_ns
        before = self._repeated_ns.get(id_)
        body = self._journal.status(id_)
        if body is None or (before is not None and now_ns - before < AGAIN_NS):
            return False
        self._repeated_ns[id_] = now_ns
        self._repeated_ns.move_to_end(id_)
        while len(self._repeated_ns) > REMEMBERED:
            self._repeated_ns.popitem(last=False)
        status = decode(CommandStatus, body)
        record = self._records.get(id_)
        if record is None or record.body != body:
            self._tell(status, self._told)
        else:
            self._live(record, now_ns)
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

        An outbox that knows nothing is told the last of each open command.
        """
        last = self._journal.last_status()
        install, _, number = self._outbox.kept(NOTE).get(NOTE, b"").decode("ascii", "replace").partition(":")
        if not number.isdecimal():
            return self._newest_of_open(last)
        return min(int(number), last) if install == self._journal.install else 0

    def _newest_of_open(self, last: int) -> int:
        for id_ in self._journal.open_commands():
            body = self._journal.status(id_)
            if body:
                try:
                    self._tell(decode(CommandStatus, body), last)
                except ProtocolError:  # of another release; the next change of the command tells it anew
                    continue
        return last
