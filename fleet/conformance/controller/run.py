"""The engine: plays the points of a controller, those that can be played together at the same time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from platefleet.fleet.conformance.controller import verdict
from platefleet.fleet.conformance.controller.points import (
    BEATS,
    EXPLAINED,
    Fence,
    Point,
    Raw,
    Restart,
    Say,
    Wait,
    names,
    points,
)
from platefleet.fleet.conformance.controller.site import Site, Stage
from platefleet.fleet.conformance.outcome import Outcome, chosen
from platefleet.fleet.conformance.pulses import Opening, Pulses
from platefleet.protocol.clock import MILLISECOND_NS, SECOND_NS, Clock

STAGGER_NS = 100 * MILLISECOND_NS
STUCK_NS = 1500 * MILLISECOND_NS
TOGETHER = 2
"""Openings that are awaited before the next point begins: a real output takes its time for each."""
BEATS_NS = 5 * SECOND_NS


@dataclass
class _Wave:
    """Points that are played together. fences: good events that were sent so far."""

    points: Sequence[Point]
    began_ns: dict[str, int] = field(default_factory=dict)
    plates: dict[str, tuple[str, ...]] = field(default_factory=dict)
    trouble: dict[str, str] = field(default_factory=dict)
    fences: int = 0


class Run:
    """One run of the kit against one controller. For one thread."""

    def __init__(self, site: Site, pulses: Pulses, *, clock: Clock) -> None:
        """Play at `site`. Raises ConfigError for plates that cannot be used, ProtocolError for names that are none."""
        self._site = site
        self._stage = Stage(site, pulses, clock=clock)

    def run(self, only: Sequence[str] = ()) -> list[Outcome]:
        """Play the points (those named, or all) and return what came of each, in the order of `names()`.

        Raises ConfigError for a point that is none, SessionError if the broker does not let the device in.
        """
        wanted = chosen(only, tuple(names()))
        todo = [point for point in points(self._site.age_limit_ms) if point.name in wanted]
        began_ns = self._stage.now_ns()
        try:
            self._stage.open()
            outcomes = self._all(todo)
            if BEATS in wanted and self._stage.heard:
                self._stage.until(lambda: self._stage.now_ns() - self._stage.heard[0].at_ns > BEATS_NS)
        finally:
            self._stage.close()
        found = {outcome.point: outcome for outcome in (*outcomes, *self._over_the_run(began_ns))}
        return [found[name] for name in names() if name in wanted]

    def _all(self, todo: Sequence[Point]) -> list[Outcome]:
        stage = self._stage
        if not stage.until(lambda: bool(stage.heard), int(self._site.wait_s * SECOND_NS)):
            silent = f"no beat for {self._site.device} within {self._site.wait_s:g} s; does the controller serve it?"
            return [Outcome(point.name, point.why, "failed", silent) for point in todo]
        lacking = {point.name: self._lacking(point) for point in todo}
        outcomes = [Outcome(p.name, p.why, "not run", lacking[p.name]) for p in todo if lacking[p.name]]
        played: list[verdict.Played] = []
        for wave in self._waves([point for point in todo if not lacking[point.name]]):
            began_ns = stage.now_ns()
            done = self._play(wave)
            if self._site.bare:
                seen = [opening for opening in stage.openings if opening.at_ns >= began_ns]
                outcomes += [verdict.of_bare(each, seen) for each in done]
            else:
                played += done
        return outcomes + [verdict.of_point(each, self._openings_of(each)) for each in played]

    def _over_the_run(self, began_ns: int) -> list[Outcome]:
        stage = self._stage
        until_ns = stage.restarted_ns or stage.now_ns()
        beats = verdict.of_beats([beat for beat in stage.heard if beat.at_ns < until_ns])
        if self._site.bare:
            why = names()[EXPLAINED]
            return [beats, Outcome(EXPLAINED, why, "not run", "pulses that name no plate cannot be told apart")]
        unexplained = [
            opening
            for opening in stage.openings
            if not any(lent.plate == opening.plate and lent.since_ns <= opening.at_ns for lent in stage.lent)
        ]
        return [beats, verdict.of_unexplained(unexplained, began_ns)]

    def _openings_of(self, played: verdict.Played) -> list[Opening]:
        """Return the openings of a point's plates, from its begin until a plate is lent again."""
        found = []
        for plate in played.plates:
            since = sorted(lent.since_ns for lent in self._stage.lent if lent.plate == plate)
            until_ns = next((ns for ns in since if ns > played.ended_ns), 2**63)
            found += [o for o in self._stage.openings if o.plate == plate and played.began_ns <= o.at_ns < until_ns]
        return found

    def _lacking(self, point: Point) -> str:
        for need in point.needs:
            if need == "other device":
                why = self._stage.other_device()
                if why:
                    return f"device {self._site.other_device} was not let in: {why}"
            elif need.split()[0] not in self._site.restarts:
                return f"needs a command for the {need}"
        return ""

    def _waves(self, todo: list[Point]) -> Iterator[list[Point]]:
        """Yield what is played together, when plates for it are free."""
        stage = self._stage
        while todo:
            first = todo.pop(0)
            needed = len(first.opens) + 1 + sum(isinstance(step, Fence) for step in first.steps)
            while stage.plates.free(stage.now_ns()) < needed:
                stage.turn()
            left = stage.plates.free(stage.now_ns()) - needed
            wave = [first]
            while todo and not (self._site.bare or first.alone or todo[0].alone) and len(todo[0].opens) <= left:
                left -= len(todo[0].opens)
                wave.append(todo.pop(0))
            yield wave

    def _play(self, points: Sequence[Point]) -> list[verdict.Played]:
        """Play points together, one beginning after the other, and let a good event follow."""
        stage, wave = self._stage, _Wave(points)
        waiting = list(enumerate(points))
        going: list[tuple[int, int, Iterator[int]]] = []
        while waiting or going:
            if waiting and self._may_begin(wave):
                number, point = waiting.pop(0)
                wave.began_ns[point.name] = stage.now_ns()
                wave.plates[point.name] = stage.lend(point)
                heapq.heappush(going, (stage.now_ns(), number, self._steps(point, wave)))
            while going and going[0][0] <= stage.now_ns():
                _, number, steps = heapq.heappop(going)
                due_ns = next(steps, None)
                if due_ns is not None:
                    heapq.heappush(going, (due_ns, number, steps))
            stage.turn()
        wave.fences += 1
        fenced = stage.fence()
        for plates in wave.plates.values():
            stage.plates.give_back(plates, stage.now_ns())
        return [
            verdict.Played(
                point,
                wave.plates[point.name],
                wave.began_ns[point.name],
                stage.now_ns(),
                fenced,
                wave.fences,
                wave.trouble.get(point.name, ""),
            )
            for point in points
        ]

    def _may_begin(self, wave: _Wave) -> bool:
        since_ns = self._stage.now_ns() - max(wave.began_ns.values(), default=0)
        if since_ns < STAGGER_NS:
            return False
        seen = {opening.plate for opening in self._stage.openings}
        begun = [point for point in wave.points if point.name in wave.began_ns]
        awaited = [point for point in begun if sum(point.opens) and not seen & set(wave.plates[point.name])]
        return len(awaited) < TOGETHER or since_ns >= STUCK_NS

    def _steps(self, point: Point, wave: _Wave) -> Iterator[int]:
        """Do one step after the other; yield when to go on."""
        stage, plates = self._stage, wave.plates[point.name]
        for step in point.steps:
            trouble = ""
            match step:
                case Wait(ms):
                    yield stage.now_ns() + ms * MILLISECOND_NS
                case Say():
                    message = stage.message(point.name, step, plates)
                    if step.delayed_ms:
                        yield stage.now_ns() + step.delayed_ms * MILLISECOND_NS
                    stage.send(step, message)
                case Raw(payload, retained):
                    trouble = stage.send_raw(payload, retained=retained)
                case Restart(what):
                    trouble = stage.restart(what)
                case Fence():
                    wave.fences += 1
                    stage.fence()
            if trouble:
                wave.trouble.setdefault(point.name, trouble)
