"""The ledger of devices against their store, as it is now."""

from __future__ import annotations

from pathlib import Path

from platefleet.deploy.simulate import committed
from platefleet.deploy.simulate.compare import Book, Ledger, compare
from platefleet.deploy.simulate.ledger import notes
from tests.faults.databases import Database


def judged(folder: Path, database: Database) -> Ledger:
    book = Book().enter(notes(folder / "ledger"))
    return compare(book, committed.rows(database.address), committed.gone(database.address))
