"""What an uplink counts."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass
class UplinkStats:
    """What the uplink did and met since it was made.

    told: asked to send live; live: live copies sent; late: grew too old here; displaced: gave way to newer ones.
    filled_back, resent: records in backfill messages; denied: messages that the broker refused.
    appended … waiting_bytes: of the outbox. clashes: names that the store has for something else.
    foreign_stores: acks by a store that is not believed. malformed: messages that were none. faults: our own.
    """

    told: int = 0
    live: int = 0
    late: int = 0
    displaced: int = 0
    filled_back: int = 0
    resent: int = 0
    denied: int = 0
    committed: int = 0
    asked: int = 0
    answered: int = 0
    gone: int = 0
    unsendable: int = 0
    clashes: int = 0
    renamed: int = 0
    foreign_stores: int = 0
    malformed: int = 0
    faults: int = 0
    appended: int = 0
    waiting: int = 0
    waiting_bytes: int = 0

    def counters(self) -> dict[str, int]:
        """Return every count by its name, as health tells them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}
