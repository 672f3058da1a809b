"""What ingest counts; each kind of trouble is logged once with its first case and counted from then on."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

LOG = logging.getLogger(__name__)


@dataclass
class Counters:
    """Counted since the start.

    received: messages. committed: records that the store did not have. again: records that it had (of a
    standing vehicle, announced to the gates every 2 s with its record; sent once more after a lost or late ack).
    quarantined: of the committed ones, those without a decodable body. gone: ranges told as gone. clashes: records
    of a taken name. turned_away: what found no place while the store was away. unstorable: records that the database
    refuses. commits, failures: transactions. acks, answers: messages sent. unsent: acks that the session would
    not take then. left_out: devices, epochs and ranges that an ack had no room for; they are asked for again.
    troubles: messages and frames that were no use, by kind.
    """

    received: int = 0
    committed: int = 0
    again: int = 0
    quarantined: int = 0
    gone: int = 0
    clashes: int = 0
    turned_away: int = 0
    unstorable: int = 0
    commits: int = 0
    failures: int = 0
    acks: int = 0
    answers: int = 0
    unsent: int = 0
    left_out: int = 0
    commit_ms_most: float = 0.0
    troubles: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str) -> None:
        """Count a trouble that somebody else has logged."""
        self.troubles[kind] = self.troubles.get(kind, 0) + 1

    def wrong(self, kind: str, sentence: str) -> None:
        """Count a trouble; the first of its kind is logged."""
        self.count(kind)
        if self.troubles[kind] == 1:
            LOG.warning("%s (more of this kind are counted, not logged)", sentence)

    def line(self) -> str:
        """Return the counters that are not zero, in one line.

        >>> Counters(received=3, committed=2, troubles={"rotten": 1}).line()
        'received 3, committed 2, rotten 1'
        """
        shown = {name: value for name, value in vars(self).items() if name != "troubles" and value}
        if "commit_ms_most" in shown:
            shown["commit_ms_most"] = round(self.commit_ms_most, 1)
        return ", ".join(f"{name} {value}" for name, value in {**shown, **self.troubles}.items()) or "nothing yet"
