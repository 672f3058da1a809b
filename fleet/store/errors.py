"""The branches of StoreError.

StoreError
├── StoreAway          the database cannot be used now: locked, full, gone; it is asked again
│   └── ForeignDatabase    it is not this store's, or not of this program's schema
└── Unstorable         the database refuses a row; the others are stored without it
"""

from __future__ import annotations

from platefleet.protocol.errors import StoreError


class StoreAway(StoreError):
    """The database cannot be used now; what was to be committed is kept and tried again."""


class ForeignDatabase(StoreAway):
    """The database is another store's, something else's, or of a schema that this program does not know."""


class Unstorable(StoreError):
    """The database refuses a row of the batch for what is in it."""
