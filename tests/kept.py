"""What an agent's notes hold of its open passes, for tests of the pass machine alone."""

from __future__ import annotations

from collections.abc import Iterable

from platefleet.agent.passes.dormant import is_due
from platefleet.agent.passes.gap import RESUME_S
from platefleet.agent.passes.types import Effect, Leave, OpenPass, Resumed, Revise, Standing
from platefleet.protocol.clock import SECOND_NS, Instant


class Kept:
    """The passes that a run of the agent has left open, as its notes have them."""

    def __init__(self) -> None:
        self._passes: dict[str, OpenPass] = {}

    def note(self, effects: Iterable[Effect]) -> None:
        """Keep what a teller keeps: with each revision, when it is due, and at a stop in order."""
        for effect in effects:
            match effect:
                case Revise(final=True):
                    self._passes.pop(effect.pass_id, None)
                case Revise() | Leave():
                    assert effect.open is not None
                    self._passes[effect.pass_id] = effect.open
                case Standing():
                    assert effect.open is not None
                    if is_due(self._passes[effect.pass_id], effect.open):
                        self._passes[effect.pass_id] = effect.open

    def resumed(self, now: Instant) -> Resumed:
        """Return what the agent's next start makes of it."""
        young = {left.pass_id for left in self._passes.values() if seconds_between(left.last, now) <= RESUME_S}
        fresh = tuple(left for left in self._passes.values() if left.pass_id in young)
        return Resumed(now, fresh, tuple(left for left in self._passes.values() if left.pass_id not in young))

    def open(self) -> set[str]:
        """Return the passes that are not closed."""
        return set(self._passes)


def seconds_between(before: Instant, after: Instant) -> float:
    return (after.mono_ns - before.mono_ns) / SECOND_NS
