"""The one border of the PostgreSQL store: whatever psycopg raises leaves as a StoreError with what to do."""

from __future__ import annotations

import psycopg
from psycopg import errors
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from platefleet.fleet.store.errors import ForeignDatabase, StoreAway, Unstorable
from platefleet.protocol.errors import StoreError

_REMEDIES = (
    ("28", "refuses this user", "check the user name and the password"),
    ("3D", "is not there", "make it with createdb, or name another one"),
    ("42501", "gives this user too few rights", "make this user the owner of its tables"),
    ("53100", "cannot grow: the disk is full", "free some space"),
    ("53300", "has no connection left", "raise max_connections, or end what holds them"),
    ("55P03", "is locked by another program", "it is asked again until that program is done"),
    ("57014", "took too long", "see what else it is doing"),
    ("57P", "stops or starts", "it is asked again until it is back"),
    ("25006", "takes no writes", "name the primary server, not a standby"),
    ("40", "is written by several at once", "it is tried again"),
    ("42", "does not take what this program asks", "use PostgreSQL 13 or newer, or report this"),
    ("XX", "is damaged", "restore it from a backup; devices fill in what the backup lacks"),
)
"""How an SQLSTATE begins, what that means, what to do (source: PostgreSQL 15, appendix A)."""
_AT_CONNECT = (
    ("authentication failed", "28"),
    ("no password supplied", "28"),
    ("pg_hba.conf", "28"),
    ("does not exist", "3D"),
    ("too many clients", "53300"),
    ("starting up", "57P"),
    ("shutting down", "57P"),
)
"""While connecting libpq tells no SQLSTATE, only what the server wrote."""
REFUSALS = (psycopg.DataError, psycopg.IntegrityError, psycopg.NotSupportedError)
"""About a row's content; everything else is about the database."""


def store_error(error: BaseException, what: str) -> StoreError | None:
    """Return what `error` means for a store; None for one that is not about it.

    what: names the database, without its password.
    """
    match error:
        case DBAPIError() if isinstance(error.orig, psycopg.Error):
            return _of_psycopg(error.orig, what)
        case psycopg.Error():
            return _of_psycopg(error, what)
        case SQLAlchemyError() | OverflowError() | UnicodeError():
            return Unstorable(f"store {what}: the database refuses a row of the batch ({error}); report this.")
        case OSError():
            return StoreAway(f"store {what}: cannot be reached ({error}); check its address.")
        case _:
            return None


def _of_psycopg(error: psycopg.Error, what: str) -> StoreError:
    said = " ".join(str(error).split())[:300] or type(error).__name__
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn):
        return ForeignDatabase(f"store {what}: its tables are not this store's ({said}); name another database.")
    if isinstance(error, REFUSALS):
        return Unstorable(f"store {what}: the database refuses a row of the batch ({said}); report this.")
    state = error.sqlstate or next((state for part, state in _AT_CONNECT if part in said), "")
    for begins, meaning, remedy in _REMEDIES:
        if state.startswith(begins):
            return StoreAway(f"store {what}: {meaning} ({said}); {remedy}.")
    return StoreAway(f"store {what}: cannot be used ({said}); start the database, or check its address.")
