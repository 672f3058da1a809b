"""Puts the standing rules to work: gathers what they look at, asks for what they want, remembers what came of it.

APScheduler is the alarm clock and nothing else (UTC, one date at a time): it wakes the rules when the window opens.
When that is, `protocol/windows.py` says; what is due, `rules.py`.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timezone

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

from platefleet.agent.commands.choices import Choices
from platefleet.agent.commands.clerk import Clerk
from platefleet.agent.commands.desired import Ask, own_order
from platefleet.agent.commands.journal import Journal
from platefleet.agent.commands.rules import Deferred, Facts, Mark, RoleFacts, Work, due
from platefleet.agent.figures import Figures
from platefleet.models.artifacts.passport import Machine, Role
from platefleet.models.artifacts.store import ROLES, ArtifactStore
from platefleet.models.errors import ArtifactError
from platefleet.protocol.clock import SECOND_NS, Instant
from platefleet.protocol.codec import decode
from platefleet.protocol.commands.holds import Situation
from platefleet.protocol.commands.lifecycle import ATTEMPTS
from platefleet.protocol.messages import CommandStatus

LOG = logging.getLogger(__name__)
MARKS = "rule marks"
LOOK_NS = 300 * SECOND_NS
"""While the window is open rules are looked at this often: what one of them built may let another go on."""
LIVES_NS = 2 * 86_400 * SECOND_NS
"""Work of a rule that found no time in two nights is asked for anew, from how things are then."""
HISTORY = 500
OPERATIONS_RETRIED = ("build", "evaluate", "benchmark", "fetch")


class Alarm:
    """APScheduler as an alarm clock: calls `ring` at a moment, the last one that was set."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._scheduler: BackgroundScheduler | None = None
        self._at_ns: int | None = None

    def start(self) -> None:
        """Begin, or begin again."""
        self._at_ns = None
        # A missed alarm still rings: after a suspended machine or a slow start the window may be open already.
        defaults = {"misfire_grace_time": None, "coalesce": True}
        self._scheduler = BackgroundScheduler(timezone=timezone.utc, daemon=True, job_defaults=defaults)
        self._scheduler.start()

    def set(self, at_ns: int | None) -> None:
        """Ring at this moment, UTC; None: not at all."""
        if self._scheduler is None or at_ns == self._at_ns:
            return
        self._at_ns = at_ns
        if at_ns is None:
            self._scheduler.remove_all_jobs()
            return
        when = datetime.fromtimestamp(at_ns / SECOND_NS, timezone.utc)
        self._scheduler.add_job(self._ring, DateTrigger(when), id="window", replace_existing=True)

    def stop(self) -> None:
        """End; nothing is rung for afterwards, and who was rung for just now may hear it yet."""
        if self._scheduler is not None:
            # First, and it waits for the pass in progress: `shutdown` calls itself stopped before it takes the lock,
            # and a pass that then lets go of a due job looks for it among pending ones only and ends loudly (3.11).
            self._scheduler.remove_all_jobs()
            self._scheduler.shutdown(wait=False)
            self._scheduler = None


class StandingRules:
    """`look` is a chore of the commands' thread; `wake` may be called from any."""

    def __init__(
        self,
        journal: Journal,
        clerk: Clerk,
        choices: Choices,
        store: ArtifactStore,
        *,
        machine: Callable[[], Machine],
        has_frames: Callable[[], bool],
        ask: Ask,
        boot: str,
        figures: Figures,
    ) -> None:
        self._journal, self._clerk, self._choices, self._store = journal, clerk, choices, store
        self._machine, self._has_frames, self._ask = machine, has_frames, ask
        self._boot, self._figures = boot, figures
        self._marks = _marks(journal)
        self._asked: dict[str, str] = {}
        """Marks by the ids of the commands that were asked for; those of earlier runs are found by their operator."""
        self._woken = threading.Event()
        self._looked_ns: int | None = None
        self.alarm = Alarm(self.wake)

    def wake(self) -> None:
        """Look at the next opportunity."""
        self._woken.set()

    def look(self, now: Situation) -> None:
        """Ask for what is due while the window is open, and set the alarm for when it opens next."""
        self.alarm.set(now.hours.opens_ns)
        if not now.clock_good or not now.hours.open:
            return
        mono_ns = now.now.mono_ns
        if not self._woken.is_set() and self._looked_ns is not None and mono_ns - self._looked_ns < LOOK_NS:
            return
        self._woken.clear()
        self._looked_ns = mono_ns
        for place, work in enumerate(due(self._choices.rules, self._facts(now.now.utc_ns))):
            self._order(work, place, now.now)

    def _order(self, work: Work, place: int, now: Instant) -> None:
        order = own_order(work.operation, f"rule:{work.rule}", now, self._boot, lives_ns=LIVES_NS, place=place)
        before = self._marks.get(work.mark, Mark(now.utc_ns))
        marks = {**self._marks, work.mark: replace(before, asked_ns=now.utc_ns)}
        self._ask(order, work.arguments, {MARKS: _dumped(marks), f"mark:{order.id}": work.mark})
        self._marks = marks
        self._asked[order.id] = work.mark
        LOG.info("rule %s: %s %s", work.rule, work.operation, dict(work.arguments))
        self._figures.count(f"rule_{work.rule}")

    def _facts(self, now_ns: int) -> Facts:
        self._outcomes()
        busy = frozenset(mark for mark in map(self._mark_of, self._clerk.entries()) if mark)
        return Facts(
            now_ns=now_ns,
            machine=self._machine(),
            roles=[self._role(role) for role in ROLES],
            frames=self._has_frames(),
            marks=dict(self._marks),
            busy=busy,
            deferred=self._deferred(),
        )

    def _outcomes(self) -> None:
        """Take down how what was asked for ended: once, with the note that says so."""
        for written, _ in self._journal.history(HISTORY):
            id_ = written.order.id
            name = self._mark_of(id_)
            if not name or not written.life.over or self._journal.meta(f"told:{id_}"):
                continue
            mark = self._marks.get(name, Mark(written.order.issued_at_ns))
            failed = 0 if written.life.state == "succeeded" else mark.failed + 1
            marks = {**self._marks, name: replace(mark, failed=failed)}
            self._journal.remember({f"told:{id_}": "1", MARKS: _dumped(marks)})
            self._marks = marks

    def _mark_of(self, id_: str) -> str:
        known = self._asked.get(id_)
        if known is None:
            known = self._asked[id_] = self._journal.meta(f"mark:{id_}")
        return known

    def _deferred(self) -> list[Deferred]:
        found: list[Deferred] = []
        newer: set[tuple[str, str]] = set()
        for written, status in self._journal.history(HISTORY):
            life, order = written.life, written.order
            same = (order.operation, json.dumps(dict(written.arguments), sort_keys=True))
            if same in newer:
                continue  # somebody has asked for the same since
            if order.operator != "rule:retry" and life.state != "rejected":
                newer.add(same)
            if life.state != "failed" or life.failures < ATTEMPTS or order.operation not in OPERATIONS_RETRIED:
                continue
            if order.operator.startswith("rule:"):
                continue  # its own rule asks again
            mark = self._marks.get(f"retry:{order.id}")
            retried = 0 if mark is None else max(mark.failed, 1)
            if mark is not None and mark.failed == 0:
                continue  # it went well, or is under way
            failed_ns = decode(CommandStatus, status).at.utc_ns
            found.append(Deferred(order.id, order.operation, written.arguments, failed_ns, retried))
        return found

    def _role(self, role: Role) -> RoleFacts:
        try:
            passports = self._store.passports(role)
            active = self._store.active(role)
            chosen = next((each for each in passports if active is not None and each.key == active.key), None)
            return RoleFacts(role, chosen, passports, tuple(path.stem for path in self._store.sources(role)))
        except ArtifactError as error:
            if self._figures.trouble(f"rules {role}", f"rules cannot look at {role}: {error}"[:512]):
                LOG.warning("rules cannot look at %s: %s", role, error)
            return RoleFacts(role)


def _dumped(marks: dict[str, Mark]) -> str:
    return json.dumps({name: asdict(mark) for name, mark in marks.items()})


def _marks(journal: Journal) -> dict[str, Mark]:
    kept = journal.meta(MARKS)
    return {name: Mark(**mark) for name, mark in json.loads(kept).items()} if kept else {}
