"""What the demo's store holds in the end, read from its database and not from any program's counters."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from platefleet.deploy.demo.verdict import Told
from platefleet.protocol.clock import SECOND_NS


@dataclass(frozen=True, slots=True)
class Ledger:
    """committed: records by client. passes: each pass's last revision. revised: passes that were told without `final`.

    opened: how often each pass was opened. refused: passes whose last word was a refusal, with the verdict. late:
    decisions that came too late. decided_s: seconds from the capture of the frame that settled it to the decision.
    """

    committed: dict[str, int]
    passes: tuple[Told, ...]
    opened: dict[str, int]
    refused: dict[str, str]
    late: int
    decided_s: tuple[float, ...]

    @property
    def opened_twice(self) -> int:
        """Passes that were opened more than once."""
        return sum(times > 1 for times in self.opened.values())


LAST_REVISIONS = """
    select pass, text, unread, first_seen_mono_ns, captured_mono_ns from plates p
    where revision = (select max(revision) from plates where pass = p.pass) order by first_seen_mono_ns
"""
DECIDED = """
    select d.decided_mono_ns - p.captured_mono_ns from decisions d
    join plates p on p.pass = d.pass and p.revision = d.revision
    where d.phase in ('intent', 'refusal') and d.verdict <> 'by hand' order by 1
"""
OPENED = "select pass, count(*) from decisions where phase = 'result' and verdict = 'opened' group by pass"
REFUSED = """
    select pass, verdict from decisions where phase = 'refusal' and verdict not in ('already open')
    order by decided_mono_ns
"""


def read(database: Path) -> Ledger:
    """Return what the SQLite store at `database` holds. Raises sqlite3.Error if it is no such store."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        opened = dict(db.execute(OPENED).fetchall())
        return Ledger(
            committed=dict(db.execute("select device, count(*) from records group by device").fetchall()),
            passes=tuple(
                Told(pass_id, text, unread, first / SECOND_NS, last / SECOND_NS)
                for pass_id, text, unread, first, last in db.execute(LAST_REVISIONS)
            ),
            opened=opened,
            refused={pass_id: verdict for pass_id, verdict in db.execute(REFUSED) if pass_id not in opened},
            late=int(db.execute("select count(*) from decisions where verdict = 'late'").fetchone()[0]),
            decided_s=tuple(row[0] / SECOND_NS for row in db.execute(DECIDED)),
        )
