"""What the models' thread remembers of each role's visits, and the watch of a role that is on trial.

For one thread at a time.
"""

from __future__ import annotations

from collections import deque

from platefleet.models import watch as watching
from platefleet.models.artifacts.passport import Role
from platefleet.models.artifacts.store import ROLES
from platefleet.models.artifacts.trial import Failed, Proven
from platefleet.models.reading import Sighting
from platefleet.models.watch import Draw, Gathering, Limits, Visit, Watch
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.ids import LaneId

HOUR_NS = 3600 * SECOND_NS
MOST_VISITS, LEAST_VISITS = 1024, 256
"""What is remembered of before: the last hour's visits, and no fewer than these where fewer came."""


class Visits:
    """Gathers visits of every lane and role."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._gatherings: dict[tuple[Role, LaneId], Gathering] = {}
        self._before: dict[Role, deque[tuple[int, Visit]]] = {role: deque(maxlen=MOST_VISITS) for role in ROLES}
        self._watched: Role | None = None
        self._watch: Watch | None = None

    def known(self, role: Role) -> int:
        """Return how many visits of a role are remembered."""
        return len(self._before[role])

    @property
    def calm(self) -> bool:
        """Whether no lane has shown a car for as many frames as end a visit."""
        return all(not each.chances and each.quiet + 1 >= watching.QUIET_LOOKS for each in self._gatherings.values())

    def begin(self, role: Role, limits: Limits, mono_ns: int) -> None:
        """Compare a role from now on with what it was before; a visit that is under way counts for neither."""
        before = list(self._before[role])
        recent = [visit for at, visit in before if mono_ns - at <= HOUR_NS]
        if len(recent) < LEAST_VISITS:
            recent = [visit for _, visit in before[-LEAST_VISITS:]]
        self._forget(role)
        self._watched, self._watch = role, watching.begin(recent, limits, self._draw)

    def end(self, *, proven: bool) -> None:
        """End the watch. proven: what was seen since the swap is what the next one is compared with."""
        role, watch = self._watched, self._watch
        self._watched = self._watch = None
        if role is None or watch is None:
            return
        self._forget(role)
        if proven:
            self._before[role].clear()
            self._before[role].extend((0, visit) for visit in watch.since)

    def look(self, lane: LaneId, seen: Sighting, mono_ns: int) -> Failed | Proven | None:
        """Take in one look; return what the watch says, if there is one and it has come to an end."""
        for role in ROLES:
            state = self._gatherings.get((role, lane), Gathering())
            state, visit = watching.gather(state, watching.chance_of(role, seen))
            self._gatherings[role, lane] = state
            if visit is None:
                continue
            if role == self._watched and self._watch is not None:
                self._watch = watching.follow(self._watch, visit, self._draw)
            else:
                self._before[role].append((mono_ns, visit))
        if self._watch is None:
            return None
        self._watch = watching.looked(self._watch)
        why = watching.alarm(self._watch)
        if why is not None:
            return Failed(why)
        return Proven() if watching.good(self._watch) else None

    def _forget(self, role: Role) -> None:
        """Let go of visits that are under way: half of them was seen by another model."""
        for place in [place for place in self._gatherings if place[0] == role]:
            del self._gatherings[place]
