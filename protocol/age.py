"""How long ago a vehicle was last seen: an upper bound that trusts no clock but one's own.

A gate sends beats, numbered; a device answers with the newest number it heard and how long it has held it. What lies
between the gate's sending that beat and its receiving the event is at least the way back, whatever the link did:

    age = the device's own age at sending + (now - when beat n was sent) - how long the device held it
"""

from __future__ import annotations

from collections import OrderedDict

from platefleet.protocol.clock import MILLISECOND_NS
from platefleet.protocol.messages import Beat, Heard, LivePlate

BEAT_EVERY_MS = 1000
BEATS_MOST = 256
"""Beats to one device that a gate remembers: four times as many as fall within the limit."""
BEAT_LIMIT_MS = 60_000
"""A beat older than this proves too little: the device hears no beats although its events arrive."""
GATES = 16
"""Gates that a device remembers; the one heard longest ago is forgotten first."""


class Beats:
    """A gate's side: when it sent which beat. One instance serves one device.

    `n` rises by one and begins at a random number below 2**52 at each start of the gate: what a device heard from an
    earlier life then matches nothing, and its age is unknown until a beat of this life has come back.
    """

    def __init__(self, limit_ms: int = BEAT_LIMIT_MS) -> None:
        self._limit_ms = limit_ms
        self._sent: OrderedDict[int, int] = OrderedDict()

    def sent(self, n: int, mono_ns: int) -> None:
        """Remember that beat `n` is sent now, and forget those beyond the limit. Take `mono_ns` before sending."""
        self._sent[n] = mono_ns
        while len(self._sent) > BEATS_MOST or self._too_old(next(iter(self._sent.values())), mono_ns):
            self._sent.popitem(last=False)

    def age_ms(self, live: LivePlate, gate: str, now_mono_ns: int) -> int | None:
        """Return the age of what `live` tells, rounded up, or None: no beat of this gate in it, or none that it knows.

        Never less than the device's own age: claiming to have held a beat longer than can be gains nothing.
        """
        heard = live.heard.get(gate)
        sent_ns = None if heard is None else self._sent.get(heard.n)
        if heard is None or sent_ns is None:
            return None
        if self._too_old(sent_ns, now_mono_ns):
            return None
        since_ms = -((sent_ns - now_mono_ns) // MILLISECOND_NS)
        return live.age_ms + max(0, since_ms - heard.held_ms)

    def _too_old(self, sent_ns: int, now_ns: int) -> bool:
        return now_ns - sent_ns > self._limit_ms * MILLISECOND_NS


class HeardBeats:
    """A device's side: the newest beat of each gate. A smaller number than the last is a gate's new life."""

    def __init__(self) -> None:
        self._heard: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def heard(self, beat: Beat, now_mono_ns: int) -> None:
        """Remember that `beat` came now."""
        self._heard[beat.gate] = beat.n, now_mono_ns
        self._heard.move_to_end(beat.gate)
        while len(self._heard) > GATES:
            self._heard.popitem(last=False)

    def report(self, now_mono_ns: int) -> dict[str, Heard]:
        """Return what a live event says: for each gate its newest beat and how long it was held, rounded down."""
        return {
            gate: Heard(n=n, held_ms=max(0, now_mono_ns - at_ns) // MILLISECOND_NS)
            for gate, (n, at_ns) in self._heard.items()
            if now_mono_ns - at_ns <= BEAT_LIMIT_MS * MILLISECOND_NS
        }
