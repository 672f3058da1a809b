"""What the kit's devices tell an ingest: records, and the messages that they travel in."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgpack

from platefleet.fleet.conformance.client import stamp, unix_ms
from platefleet.fleet.conformance.ingest.points import R, Tell
from platefleet.fleet.conformance.spoilt import rotten, versioned
from platefleet.protocol.clock import Clock
from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.frame import freeze
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import Backfill, Crops, Gone, LivePlate, LiveStatus, PlateEvent

PICTURE_BYTES = 90 * 1024


class Speech:
    """Makes frames and messages. The same record of the same epoch has the same bytes each time."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._frames: dict[tuple[str, R], bytes] = {}
        self._pass = uuid7(unix_ms(clock), os.urandom(10))

    def message(self, tell: Tell, epoch: str) -> bytes:
        """Return the message of `tell`."""
        frames = [self.frame(epoch, record) for record in tell.records]
        match tell.via:
            case "plate":
                return encode(LivePlate(age_ms=0, record=frames[0]))
            case "fleet":
                return encode(LiveStatus(age_ms=0, record=frames[0]))
            case _:
                return versioned(encode(self._backfill(frames, tell, epoch)), tell.version)

    def frame(self, epoch: str, record: R) -> bytes:
        """Return a record's frame."""
        key = (epoch, record)
        if key not in self._frames:
            kind, body = self._body(record)
            frame = freeze(epoch, record.seq, kind, body).frame
            self._frames[key] = rotten(frame) if record.rotten else frame
        return self._frames[key]

    def _backfill(self, frames: Sequence[bytes], tell: Tell, epoch: str) -> Backfill:
        gone = tuple(Gone(epoch=epoch, first=first, last=last, reason="quota") for first, last in tell.gone)
        return Backfill(records=tuple(frames), gone=gone)

    def _body(self, record: R) -> tuple[str, bytes]:
        match record.body:
            case "junk":
                return "plate", b"\xc1 no message"
            case "later type":
                return "conformance_later", msgpack.packb({"version": 1, "n": record.seq})
            case "picture":
                picture = b"\xff\xd8" + bytes(PICTURE_BYTES)
                seen = stamp(self._clock)
                return "crops", encode(Crops(pass_id=self._pass, revision=1, captured=seen, plate=picture))
            case "next version":
                return "plate", versioned(encode(self._event(record)), 2)
            case _:
                return "plate", encode(self._event(record))

    def _event(self, record: R) -> PlateEvent:
        seen = stamp(self._clock)
        return PlateEvent(
            pass_id=uuid7(unix_ms(self._clock), os.urandom(10)),
            revision=1,
            final=True,
            lane="lane-1",
            captured=seen,
            first_seen=seen,
            text=f"KTX{record.variant}",
            mean=0.9,
            minimum=0.9,
            direction="approaching",
            frames=5,
        )
