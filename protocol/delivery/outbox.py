"""The outbox: its port, and the one in memory."""

from platefleet.protocol.delivery.memory import MemoryOutbox
from platefleet.protocol.delivery.port import Depth, Outbox, Standing

__all__ = ["Depth", "MemoryOutbox", "Outbox", "Standing"]
