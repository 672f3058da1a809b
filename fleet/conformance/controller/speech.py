"""What the kit's device says: a step of a point as the bytes that go to the broker."""

from __future__ import annotations

import os
from dataclasses import replace

from platefleet.fleet.conformance.client import stamp, unix_ms
from platefleet.fleet.conformance.controller.points import Say
from platefleet.fleet.conformance.spoilt import rotten, versioned
from platefleet.protocol.clock import SECOND_NS, Clock
from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.frame import freeze
from platefleet.protocol.ids import new_epoch, uuid7
from platefleet.protocol.messages import Backfill, CharacterRead, Heard, LivePlate, PlateEvent

HOUR_NS = 3600 * SECOND_NS


class Speech:
    """Makes the messages of one device. A revision that is said again is the same record."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._epoch = new_epoch()
        self._seq = 1
        self._passes: dict[tuple[str, int], str] = {}
        self._frames: dict[tuple[str, Say], bytes] = {}

    def message(self, point: str, say: Say, text: str, lane: str, heard: dict[str, Heard]) -> bytes:
        """Return what `say` of `point` sends now. heard: the beats of which it tells."""
        frame = self._frame(point, say, text, lane)
        if say.backfill:
            return encode(Backfill(records=(frame,)))
        return versioned(encode(LivePlate(age_ms=say.age_ms, heard=heard, record=frame)), say.version)

    def _frame(self, point: str, say: Say, text: str, lane: str) -> bytes:
        key = (point, replace(say, age_ms=0, heard="fresh", delayed_ms=0, copies=1))
        if key not in self._frames:
            self._seq += 1
            body = versioned(encode(self._event(point, say, text, lane)), say.body_version)
            frame = freeze(self._epoch, self._seq, "plate", body).frame
            self._frames[key] = rotten(frame) if say.rotten else frame
        return self._frames[key]

    def _event(self, point: str, say: Say, text: str, lane: str) -> PlateEvent:
        now = self._clock.now()
        pass_id = self._passes.setdefault((point, say.number), uuid7(unix_ms(self._clock), os.urandom(10)))
        seen = stamp(self._clock, {"right": None, "1970": 0, "ahead": now.utc_ns + HOUR_NS}[say.clock])
        return PlateEvent(
            pass_id=pass_id,
            revision=say.revision,
            final=say.final,
            lane=lane,
            captured=seen,
            first_seen=seen,
            text=text,
            characters=tuple(CharacterRead(text=symbol, confidence=0.99) for symbol in text),
            mean=0.99,
            minimum=0.99,
            unread="unsettled" if say.unread else None,
            direction=say.direction,
            vehicle="car",
            plate_confidence=0.9,
            frames=5,
        )
