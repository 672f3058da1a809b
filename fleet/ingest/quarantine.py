"""From a frame to an arrival: what cannot be decoded is kept with the reason, and counts as covered."""

from __future__ import annotations

from platefleet.fleet.store.port import Arrival
from platefleet.protocol.delivery.frame import open_body, thaw
from platefleet.protocol.errors import ProtocolError


def examine(device: str, frame: bytes, received_utc_ns: int) -> Arrival:
    """Return the record in `frame`, with its body or with why it has none.

    Raises ProtocolError for bytes that are no frame (a wrong checksum included): they have no name to be covered
    under, and the device sends them again.
    """
    record = thaw(frame)
    try:
        message = open_body(record)
    except ProtocolError as error:
        return Arrival(device, record, received_utc_ns, undecodable=str(error))
    return Arrival(device, record, received_utc_ns, message=message)
