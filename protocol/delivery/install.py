"""The install id: made once with an outbox's database, so that whoever reinstalls a device is told apart from it."""

from __future__ import annotations

import re

from platefleet.protocol.delivery.port import Outbox
from platefleet.protocol.ids import new_epoch

NOTE = "install"


def install_id(outbox: Outbox) -> str:
    """Return the id that the outbox keeps, made now if it has none. In memory it ends with the process."""
    kept = outbox.kept(NOTE).get(NOTE, b"").decode("ascii", "replace")
    if re.fullmatch("[0-9a-f]{32}", kept):
        return kept
    made = new_epoch()
    outbox.keep({NOTE: made.encode("ascii")})
    return made
