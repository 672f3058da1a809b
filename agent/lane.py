"""One lane from picture to record: its pass machine with what is shown to it and what comes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from platefleet.agent import notes
from platefleet.agent.cameras.port import Picture
from platefleet.agent.figures import Figures
from platefleet.agent.looks import effect_scaled, resized
from platefleet.agent.passes.decide import TRACKS, LaneState, decide
from platefleet.agent.passes.types import Effect, Ended, Left, Look, PassEvent, PassSettings, Resumed, Tick
from platefleet.agent.teller import Teller
from platefleet.models.reading import Sighting
from platefleet.protocol.clock import Clock, Instant
from platefleet.protocol.delivery.frame import Record
from platefleet.protocol.errors import ProtocolError
from platefleet.protocol.ids import LaneId
from platefleet.protocol.messages import Stamp

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Worked:
    """A picture that went all the way, for whoever watches. ms: per stage; records: plate events that were kept."""

    lane: LaneId
    picture: Picture
    sighting: Sighting
    look: Look
    effects: tuple[Effect, ...]
    records: tuple[Record, ...]
    ms: Mapping[str, float]


Observer = Callable[[Worked], None]


class LaneWatch:
    """A lane's passes. For one thread."""

    def __init__(
        self,
        lane: LaneId,
        settings: PassSettings,
        teller: Teller,
        *,
        seed: str,
        figures: Figures,
        clock: Clock,
        observers: Sequence[Observer] = (),
    ) -> None:
        """seed: makes the lane's pass ids unlike any others. observers: called after each picture, on its thread."""
        self._lane, self._settings, self._teller = lane, settings, teller
        self._figures, self._clock, self._observers = figures, clock, observers
        self._state = LaneState(seed=f"{seed}/{lane}")
        self._size: tuple[int, int] | None = None
        self._scale = (1.0, 1.0)
        self._behind_ns = 0
        """From the newest picture's time to ours."""

    def resume(self, kept: Mapping[str, bytes], started: Stamp) -> None:
        """Take over the passes that an earlier run left open, before anything is shown.

        kept: the notes by their names. started: when this run began, by which it is judged whose car may still stand.
        """
        found = [each for name, data in kept.items() if (each := self._note(name, data, started)) is not None]
        found.sort(key=lambda each: each.left.last.mono_ns, reverse=True)
        young = [each for each in found if each.young and each.left.size == found[0].left.size][:TRACKS]
        for each in found:
            self._teller.took_over(each)
        if young:
            self._size = young[0].left.size
        fresh = tuple(each.left for each in young)
        stale = tuple(each.left for each in found if each.left not in fresh)
        self._figures.count("passes_taken_over", len(fresh))
        self._teller.do(self._decide(Resumed(self._now(), fresh, stale)), None, {})

    def show(self, picture: Picture, sighting: Sighting, look: Look) -> None:
        """Work through one look; its picture's size may differ from the last one's."""
        self._size = self._size or (look.width, look.height)
        self._scale = look.width / self._size[0], look.height / self._size[1]
        self._behind_ns = picture.lag_ns
        effects = self._decide(look if self._scale == (1.0, 1.0) else resized(look, self._size))
        records = self._teller.do(effects, picture, look.ms)
        worked = Worked(self._lane, picture, sighting, look, effects, tuple(records), look.ms)
        for observer in self._observers:
            self._let_watch(observer, worked)

    def tick(self) -> None:
        """Let time go by without a picture."""
        self._teller.do(self._decide(Tick(self._now())), None, {})

    def stop(self) -> None:
        """Close every open pass as interrupted: there is no more to see."""
        self._teller.do(self._decide(Ended(self._now())), None, {})

    def leave(self) -> None:
        """End, so that the next start goes on with the told passes; what ends with this process is closed instead."""
        now = self._now()
        self._teller.do(self._decide(Left(now) if self._teller.lasts else Ended(now)), None, {})

    def _note(self, name: str, data: bytes, started: Stamp) -> notes.Found | None:
        try:
            return notes.read(data, started)
        except ProtocolError as error:
            self._figures.count("notes_unreadable")
            LOG.error("%s: an open pass cannot be gone on with and is dropped: %s", self._lane, error)
            self._teller.drop(name)
            return None

    def _let_watch(self, observer: Observer, worked: Worked) -> None:
        try:
            observer(worked)
        except Exception:  # whoever watches must not stop the barrier
            if self._figures.count("observer_faults") == 1:
                LOG.exception("%s: an observer failed; counted from now on", self._lane)

    def _now(self) -> Instant:
        now = self._clock.now()
        return Instant(max(0, now.utc_ns - self._behind_ns), max(0, now.mono_ns - self._behind_ns))

    def _decide(self, event: PassEvent) -> tuple[Effect, ...]:
        self._state, effects = decide(self._state, event, self._settings)
        return tuple(effect_scaled(effect, self._scale) for effect in effects)
