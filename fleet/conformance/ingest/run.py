"""The engine: plays the points of an ingest, those that can be played together at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from platefleet.fleet.conformance.ingest import verdict
from platefleet.fleet.conformance.ingest.points import (
    Acked,
    AnyAck,
    Clashed,
    Mark,
    Point,
    Question,
    R,
    Ranges,
    Raw,
    Restart,
    Settle,
    Step,
    Tell,
    Wait,
    names,
    points,
)
from platefleet.fleet.conformance.ingest.site import Site, Stage
from platefleet.fleet.conformance.outcome import Outcome, chosen
from platefleet.protocol.clock import MILLISECOND_NS, SECOND_NS, Clock
from platefleet.protocol.delivery.coverage import contains
from platefleet.protocol.ids import new_epoch

PATIENCE_NS = 30 * SECOND_NS
"""How long an ack may take: far above what a device waits before it sends again."""
LONG_NS = 45 * SECOND_NS
"""The same after a restart."""
AGAIN_NS = 2 * SECOND_NS
RETAINED_NS = 2 * SECOND_NS
GRACE_NS = 1200 * MILLISECOND_NS
"""Acks are gathered for half a second: so long a wrong one is waited for after a good one."""
DEAD = "a good record after it was not acknowledged; did it die?"


@dataclass
class _Going:
    """A point while it is played."""

    played: verdict.Played
    told: Tell | None = None

    def note(self, trouble: str) -> None:
        if trouble and not self.played.trouble:
            self.played = replace(self.played, trouble=trouble)


class Run:
    """One run of the kit against one ingest. For one thread."""

    def __init__(self, site: Site, *, clock: Clock) -> None:
        """Play both devices of `site`. Raises ProtocolError for names that are none."""
        self._site = site
        self._stage = Stage(site, clock=clock)
        self._fence, self._fences = new_epoch(), 0

    def run(self, only: Sequence[str] = ()) -> list[Outcome]:
        """Play the points (those named, or all) and return what came of each, in the order of `names()`.

        Raises ConfigError for a point that is none, SessionError if the broker does not let the device in.
        """
        wanted = chosen(only, tuple(names()))
        # What is judged over the run needs something to be judged by.
        todo = [point for point in points() if point.name in wanted] or [points()[0]]
        try:
            self._stage.open()
            outcomes = self._all(todo)
        finally:
            self._stage.close()
        found = {outcome.point: outcome for outcome in outcomes}
        return [found[name] for name in names() if name in wanted]

    def _all(self, todo: Sequence[Point]) -> list[Outcome]:
        stage = self._stage
        lacking = {point.name: self._lacking(point) for point in todo}
        outcomes = [Outcome(p.name, p.why, "not run", lacking[p.name]) for p in todo if lacking[p.name]]
        runnable = [point for point in todo if not lacking[point.name]]
        done = self._play([point for point in runnable if not point.alone])
        mine = [played.epoch[1] for played in done]
        answers, asked_ns = self._last_question(mine)
        stage.come_back(RETAINED_NS)
        for point in runnable:
            if point.alone:
                done += self._play([point])
        outcomes += [verdict.of_point(played, stage.trace) for played in done]
        return outcomes + verdict.over_the_run(stage.trace, answers, asked_ns, self._site.device)

    def _last_question(self, epochs: Sequence[str]) -> tuple[dict[verdict.Epoch, Ranges], int]:
        """Ask for everything that was told, once all of it was acknowledged or given up."""
        stage = self._stage
        for epoch in epochs:
            stage.ask(epoch)
        asked_ns = stage.now_ns()
        stage.until(lambda: all(stage.answered(epoch) is not None for epoch in epochs), PATIENCE_NS)
        answers = {stage.epoch_of(epoch): stage.answered(epoch) for epoch in epochs}
        return {epoch: answer for epoch, answer in answers.items() if answer is not None}, asked_ns

    def _lacking(self, point: Point) -> str:
        for need in point.needs:
            if need == "other device":
                why = self._stage.other_device()
                if why:
                    return f"device {self._site.other_device} was not let in: {why}"
            elif need.split()[0] not in self._site.restarts:
                return f"needs a command for the {need}"
        return ""

    def _play(self, together: Sequence[Point]) -> list[verdict.Played]:
        going = []
        for point in together:
            epoch = new_epoch()
            mine, other = self._stage.epoch_of(epoch), self._stage.epoch_of(epoch, other_device=True)
            going.append(_Going(verdict.Played(point, mine, other)))
        active = [self._steps(each) for each in going]
        while active:
            active = [steps for steps in active if next(steps, steps) is None]
            self._stage.turn()
        return [each.played for each in going]

    def _steps(self, going: _Going) -> Iterator[None]:
        """Do one step after the other; yield while one waits."""
        for step in going.played.point.steps:
            yield from self._step(step, going)

    def _step(self, step: Step, going: _Going) -> Iterator[None]:
        stage, trace, epoch = self._stage, self._stage.trace, going.played.epoch
        match step:
            case Tell():
                going.told = step
                going.note(stage.tell(step, epoch[1]))
                yield
            case Raw(payload):
                going.note(stage.tell_raw(payload))
            case Wait(ms):
                yield from self._while(lambda: False, ms * MILLISECOND_NS)
            case Acked(seqs, again, other_device):
                whose = going.played.other if other_device else epoch
                yield from self._acked(seqs, whose, going.told if again else None)
            case AnyAck():
                yield from self._while(lambda: bool(trace.covered(epoch)), PATIENCE_NS)
            case Clashed():
                yield from self._while(lambda: bool(trace.clashed(epoch)), PATIENCE_NS)
            case Settle():
                yield from self._settle(going)
            case Mark():
                going.played = replace(going.played, mark_ns=stage.now_ns())
            case Question():
                stage.ask(epoch[1])
                going.played = replace(going.played, asked_ns=stage.now_ns())
                patience_ns = LONG_NS if going.played.restarted_ns < stage.now_ns() else PATIENCE_NS
                yield from self._while(lambda: stage.answered(epoch[1]) is not None, patience_ns)
                going.played = replace(going.played, answered=stage.answered(epoch[1]))
            case Restart(what):
                going.played = replace(going.played, restarted_ns=stage.now_ns())
                going.note(stage.restart(what))

    def _acked(self, seqs: Ranges, epoch: verdict.Epoch, again: Tell | None) -> Iterator[None]:
        wanted = [seq for first, last in seqs for seq in range(first, last + 1)]

        def acked() -> bool:
            covered = self._stage.trace.covered(epoch)
            return all(contains(covered, seq) for seq in wanted)

        if again is None:
            yield from self._while(acked, PATIENCE_NS)
            return
        deadline_ns = self._stage.now_ns() + LONG_NS
        while not acked() and self._stage.now_ns() < deadline_ns:
            yield from self._while(acked, AGAIN_NS)
            if not acked():
                self._stage.tell(again, epoch[1])

    def _settle(self, going: _Going) -> Iterator[None]:
        self._fences += 1
        fence = self._fences
        epoch = self._stage.epoch_of(self._fence)
        self._stage.tell(Tell((R(fence),)), self._fence)
        yield from self._acked(((fence, fence),), epoch, None)
        if not contains(self._stage.trace.covered(epoch), fence):
            going.note(DEAD)
        yield from self._while(lambda: False, GRACE_NS)

    def _while(self, happened: Callable[[], bool], patience_ns: int) -> Iterator[None]:
        """Yield until it happened, or patience ends."""
        deadline_ns = self._stage.now_ns() + patience_ns
        while not happened() and self._stage.now_ns() < deadline_ns:
            yield
