"""Tells what the pass machine decided: records first, then the live copies, again while a car stands."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from platefleet.agent import notes
from platefleet.agent.cameras.port import Picture
from platefleet.agent.crops import Cut, cut
from platefleet.agent.events import Stamped, Told, crops, plate_event
from platefleet.agent.figures import Figures
from platefleet.agent.pacing import Pacing
from platefleet.agent.passes.dormant import is_due
from platefleet.agent.passes.types import Effect, Forget, Leave, OpenPass, Portrait, Revise, Standing
from platefleet.agent.settings.tree import CropSettings
from platefleet.protocol.clock import SECOND_NS, Clock, Instant
from platefleet.protocol.delivery.frame import Record, RecordType
from platefleet.protocol.delivery.notes import NO_NOTES, Change
from platefleet.protocol.delivery.outbox import Outbox
from platefleet.protocol.errors import OutboxError, PlatefleetError, ProtocolError
from platefleet.protocol.ids import LaneId
from platefleet.protocol.messages import Message, PlateEvent, Stamp

LOG = logging.getLogger(__name__)
ANNOUNCE_NS = 2 * SECOND_NS
"""A standing car's newest revision is told again this often (DESIGN.md, "Plate events")."""
MOST_PASSES = 64
"""Passes of a lane whose portraits and records are kept; far more than stand in one picture."""


Said = Callable[[PlateEvent], None]
"""Hears an event when it is told first; never blocks, never raises."""


class Tells(Protocol):
    """Where live copies go: the uplink."""

    def tell(self, record: Record, seen_mono_ns: int) -> None:
        """Send a record's live copy; its vehicle was last seen at `seen_mono_ns`."""
        ...


@dataclass(slots=True)
class _Known:
    """What is kept of one pass.

    fresh: its portrait was not told yet. told_ns: when its record went out last. noted: what its note says. refused:
    its newest revision, where the outbox did not take it.
    """

    portrait: Cut | None = None
    fresh: bool = False
    record: Record | None = None
    told_ns: int = 0
    noted: OpenPass | None = None
    refused: tuple[Revise, Told] | None = None


class Teller:
    """One lane's voice. For one thread."""

    def __init__(
        self,
        lane: LaneId,
        outbox: Outbox,
        uplink: Tells,
        *,
        stamp: Stamped,
        artifacts: Mapping[str, str],
        settings: CropSettings,
        figures: Figures,
        clock: Clock,
        said: Said | None = None,
    ) -> None:
        self._said = said
        self._lane, self._outbox, self._uplink = lane, outbox, uplink
        self._stamp, self._artifacts, self._settings = stamp, artifacts, settings
        self._figures, self._clock = figures, clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._pacing = Pacing()
        self._earlier: dict[Instant, Stamp] = {}

    @property
    def lasts(self) -> bool:
        """Whether what is kept outlives this process."""
        return not self._outbox.volatile

    def took_over(self, found: notes.Found) -> None:
        """Tell the moments of a pass that an earlier run left open as they were stamped then."""
        self._earlier |= {found.left.first: found.first, found.left.last: found.last}

    def drop(self, name: str) -> None:
        """Forget a note that says nothing."""
        self._keep({name: None})

    def do(self, effects: Iterable[Effect], picture: Picture | None, ms: Mapping[str, float]) -> list[Record]:
        """Carry out effects in order; return the plate records that were kept.

        picture: the frame that they come from, None where none does (the end). ms: its stages.
        """
        if picture is not None:
            self._pacing.note(picture)
        told = Told(self._lane, self._stamped, ms, self._artifacts)
        kept = []
        left: dict[str, bytes | None] = {}
        for effect in effects:
            match effect:
                case Portrait() if picture is not None and self._settings.enabled:
                    known = self._of(effect.pass_id)
                    known.portrait = cut(picture.frame, picture.captured, effect.plate_box, effect.vehicle_box)
                    known.fresh = True
                case Revise():
                    self._figures.count("revisions")
                    if effect.final:
                        self._figures.count("passes_read" if effect.unread is None else "passes_unread")
                    kept += self._revise(effect, told, effect.captured)
                case Standing():
                    kept += self._standing(effect)
                case Forget():
                    self._known.pop(effect.pass_id, None)
                case Leave():
                    left |= self._note(effect.open)
                case _:
                    continue
        self._keep(left)
        return kept

    def _revise(self, revise: Revise, told: Told, seen: Instant) -> list[Record]:
        """Keep the event and its pictures, and tell it as seen at `seen`; return its record, if it was kept.

        What cannot be kept is counted, and the barrier goes on: the revision waits for the next look at its vehicle,
        and the one before it is not told again, since the machine counts on the newer one. The last one is told by the
        agent's next start, since the note of the pass stays.
        """
        known = self._of(revise.pass_id)
        note: Change = NO_NOTES if revise.open is None else self._note(revise.open)
        if revise.final:
            note = {notes.name_of(self._lane, revise.pass_id): None}
        try:
            event = plate_event(revise, told, self._stamp(self._clock.now()))
            record = self._append("plate", event, note)
        except (OutboxError, ProtocolError) as error:
            again = "" if revise.final else " unless their vehicles stay"
            self._refused(f"plate events cannot be kept and are lost{again}", error)
            known.refused = None if revise.final else (revise, told)
            return []
        self._figures.well("outbox")
        known.record, known.told_ns, known.refused = record, self._clock.now().mono_ns, None
        known.noted = revise.open
        self._uplink.tell(record, self._pacing.ours(seen).mono_ns)
        if self._said is not None:
            self._said(event)
        if not revise.final:
            self._figures.took("told", (known.told_ns - self._pacing.ours(revise.captured).mono_ns) / 1e6)
        if known.portrait is not None and known.fresh:
            self._picture(revise, known.portrait, told)
            known.fresh = False
        return [record]

    def _picture(self, revise: Revise, portrait: Cut, told: Told) -> None:
        message = crops(revise, portrait, told, self._settings)
        if message is None:
            return
        try:
            self._append("crops", message)
        except (OutboxError, ProtocolError) as error:
            self._refused("crops cannot be kept and are lost", error)

    def _standing(self, standing: Standing) -> list[Record]:
        """Tell a revision again that the outbox refused, or the newest one when it is time; return what was kept."""
        known = self._known.get(standing.pass_id)
        if known is not None and known.refused is not None:
            return self._revise(*known.refused, standing.seen)
        if known is not None and known.noted and standing.open and is_due(known.noted, standing.open):
            known.noted = standing.open
            self._keep(self._note(standing.open))
        now_ns = self._clock.now().mono_ns
        if known is None or known.record is None or now_ns - known.told_ns < ANNOUNCE_NS:
            return []
        known.told_ns = now_ns
        self._uplink.tell(known.record, self._pacing.ours(standing.seen).mono_ns)
        self._figures.count("announced_again")
        return []

    def _append(self, type: RecordType, message: Message, note: Change = NO_NOTES) -> Record:  # noqa: A002
        began = perf_counter()
        record = self._outbox.append(type, message, keep=note)
        self._figures.took("append", (perf_counter() - began) * 1000)
        return record

    def _note(self, left: OpenPass) -> dict[str, bytes | None]:
        return {notes.name_of(self._lane, left.pass_id): notes.written(left, self._stamped)}

    def _keep(self, change: Change) -> None:
        """Keep notes; without them a car that stands is another pass after a restart, or none until it moves."""
        if not change:
            return
        try:
            self._outbox.keep(change)
        except OutboxError as error:
            self._figures.count("notes_refused")
            if self._figures.trouble("notes", f"open passes cannot be kept for a restart: {error}"):
                LOG.error("%s: open passes cannot be kept for a restart: %s", self._lane, error)
        else:
            self._figures.well("notes")

    def _stamped(self, instant: Instant) -> Stamp:
        return self._earlier.get(instant) or self._stamp(self._pacing.ours(instant))

    def _refused(self, what: str, error: PlatefleetError) -> None:
        """Count a record that could not be kept; health says so until one is kept again."""
        self._figures.count("outbox_refused")
        if self._figures.trouble("outbox", f"{what}: {error}"):
            LOG.error("%s: %s: %s", self._lane, what, error)

    def _of(self, pass_id: str) -> _Known:
        known = self._known.setdefault(pass_id, _Known())
        self._known.move_to_end(pass_id)
        while len(self._known) > MOST_PASSES:
            self._known.popitem(last=False)
        return known
