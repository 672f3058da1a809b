"""The gate controller: wires session, journal, outputs and decisions together, and runs them."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType

from platefleet.fleet.gate.alarm import Alarm, Alarms
from platefleet.fleet.gate.allow_file import AllowFile
from platefleet.fleet.gate.by_hand import Door
from platefleet.fleet.gate.calendar import Calendar
from platefleet.fleet.gate.circumstances import Circumstances
from platefleet.fleet.gate.core import Core
from platefleet.fleet.gate.hearing import Hearing
from platefleet.fleet.gate.inbox import Inbox, Relisted
from platefleet.fleet.gate.journal import Journal
from platefleet.fleet.gate.loop import Loop
from platefleet.fleet.gate.outputs.base import Output
from platefleet.fleet.gate.outputs.build import build, receiver
from platefleet.fleet.gate.outputs.command import Command
from platefleet.fleet.gate.outputs.runner import Runner
from platefleet.fleet.gate.replay import replay
from platefleet.fleet.gate.rules import holds_of, passback_of, rules_of
from platefleet.fleet.gate.settings import GateSettings
from platefleet.fleet.gate.telling import Telling, note, told
from platefleet.fleet.gate.verdicts import Listing
from platefleet.protocol import topics
from platefleet.protocol.clock import Clock, SystemClock
from platefleet.protocol.clock_sync import clock_state
from platefleet.protocol.delivery.durable import DurableOutbox, open_outbox
from platefleet.protocol.delivery.port import Outbox
from platefleet.protocol.delivery.uplink import Uplink
from platefleet.protocol.errors import ConfigError
from platefleet.protocol.messages import Decision
from platefleet.protocol.session import Session

LOG = logging.getLogger(__name__)
LIST_EVERY_S = 1.0
FAREWELL_S = 0.5
"""How long a stop waits for the store to take the last decisions."""
DECISIONS_KEPT = 1000
ALARMED = "gate: journal alarmed"


class Gate:
    """One gate controller, from `start` (or `with`) to `stop`.

    `start` raises GateError when the journal is another's or an output cannot be had, and then nothing runs.
    """

    def __init__(
        self,
        session: Session,
        settings: GateSettings,
        *,
        outputs: Mapping[str, Output] | None = None,
        listing: Listing | None = None,
        outbox: Outbox | None = None,
        clock: Clock | None = None,
    ) -> None:
        """session: not started, and of the gate's name. outputs: of your own, by name, before those of the settings.

        listing: who knows the plates, instead of the settings' file. Raises ConfigError for a lane without an output.
        """
        self._session = session
        self._settings = settings
        self._clock = clock or SystemClock()
        self._own = dict(outputs or {})
        self._listing = listing
        self._given_outbox = outbox
        self.rules = rules_of(settings, self._own)
        self.counts: Counter[str] = Counter()
        self._inbox = Inbox()
        self._stopping = threading.Event()
        self._owned = ExitStack()
        self._decided: deque[Decision] = deque(maxlen=DECISIONS_KEPT)
        self._some = threading.Condition()
        self._loop: Loop | None = None
        self._programs: list[Command] = []
        self._missing: list[str] = []
        devices = sorted({device for device, _ in self.rules})
        wanted = [(topic, 1) for device in devices for topic in (topics.plate(device), topics.presence(device))]
        session.subscribe(wanted)

    def start(self) -> Gate:
        """Lock and read the journal, read the list, take the outputs, and begin. Raises GateError, ConfigError."""
        with ExitStack() as owned:
            self._start(owned)
            self._owned = owned.pop_all()
        return self

    def stop(self) -> None:
        """Take no more orders, let outputs finish, keep their results, and leave. Takes about two seconds at most."""
        self._stopping.set()
        with self._some:
            self._some.notify_all()
        self._owned.close()

    def __enter__(self) -> Gate:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def decisions(self) -> Iterator[Decision]:
        """Yield each decision as it is made, until the gate is stopped; the oldest of 1000 that wait give way."""
        while True:
            with self._some:
                self._some.wait_for(lambda: bool(self._decided) or self._stopping.is_set(), 1.0)
                if not self._decided and self._stopping.is_set():
                    return
                ready, self._decided = self._decided, deque(maxlen=DECISIONS_KEPT)
            yield from ready

    def problems(self) -> list[str]:
        """Return a sentence for each thing that a person should know of."""
        return self._loop.problems() if self._loop is not None else []

    def committed(self, timeout_s: float) -> bool:
        """Wait until the store has every decision; return whether it has."""
        return self._uplink.wait_covered(timeout_s)

    def _start(self, owned: ExitStack) -> None:
        settings, clock = self._settings, self._clock
        journal = owned.enter_context(Journal(settings.journal))
        boot, now = clock.boot, clock.now()
        past = replay(journal.entries, boot, now.mono_ns)
        calendar = Calendar(
            settings.zone,
            boot,
            lambda at: clock_state(at, assume_synced=settings.assume_synced),
            past.newest_utc_ns,
        )
        file = self._file()
        listing = self._listing if self._listing is not None else file.open() if file else None
        if listing is None:
            raise ConfigError("allow_list: missing; name its file under [allow_list].")
        outbox = self._given_outbox or self._outbox(owned)
        runners = self._runners(owned)
        alarmed = told(outbox.kept(ALARMED), ALARMED, journal.name)
        alarms = self._alarms(outbox, journal.name)
        self._look_for_programs()
        if alarms is None or alarmed is None:  # nobody was to be called for what failed so far
            outbox.keep(note(ALARMED, journal.name, journal.last))
        around = Circumstances(self.rules, outbox, boot=boot, holds=holds_of(settings), back=passback_of(settings))
        core = Core(
            self.rules,
            listing,
            journal,
            past,
            clock=clock,
            calendar=calendar,
            submit=lambda pulse: runners[pulse.rule.output].submit(pulse),
            said=self._say,
            telling=Telling(outbox, journal, counts=self.counts, said=self._say, noted=around.told),
            circumstances=around,
            sound=alarms.sound if alarms is not None else lambda _: None,
            counts=self.counts,
        )
        core.begin(alarmed=alarmed)
        self._uplink = Uplink(self._session, outbox, clock=clock, on_message=self._inbox.put, on_event=self._inbox.put)
        self._loop = Loop(
            settings.name,
            core,
            Hearing(settings.name, self.rules, self.counts),
            self._inbox,
            self._session,
            clock=clock,
            calendar=calendar,
            file=file,
            stats=lambda: self._uplink.stats,
            troubles=lambda: self._troubles(outbox, alarms),
            counters=lambda: self._counters(outbox, alarms),
            first_beat=secrets.randbelow(2**40) + 1,
        )
        # From here on in the order of the start; a stop goes the other way round.
        self._uplink.start()
        owned.callback(self._leave, self._uplink)
        if alarms is not None:
            alarms.start()
            owned.callback(alarms.stop)
        self._loop.start()
        owned.callback(self._loop.stop)
        for runner in runners.values():
            runner.start()
            owned.callback(runner.stop, 1.0)
        owned.callback(self._loop.close)
        if file is not None and self._listing is None:
            watcher = threading.Thread(target=self._watch, args=(file,), name="gate list", daemon=True)
            watcher.start()
            owned.callback(watcher.join, 2.0)
        longest_ms = max(rule.answer_within_ms for rule in self.rules.values())
        owned.callback(Door(settings.journal, self._inbox.put, longest_ms / 1000 + 2.0).close)

    def _outbox(self, owned: ExitStack) -> Outbox:
        settings = self._settings
        beside = settings.journal.with_name(f"{settings.journal.name}.outbox")
        outbox = open_outbox(
            settings.outbox.file or beside,
            clock=self._clock,
            quota_bytes=settings.outbox.quota_bytes,
            keep_days=settings.outbox.keep_days,
            clock_state=lambda at: clock_state(at, assume_synced=settings.assume_synced),
        )
        owned.callback(outbox.close)
        return outbox

    def _file(self) -> AllowFile | None:
        allow = self._settings.allow_list
        if allow is None:
            return None
        journal = self._settings.journal
        kept = journal.with_name(f"{journal.name}.allow-list")
        return AllowFile(allow.file, kept, matching=self._settings.matching.matching(), alphabet=allow.alphabet)

    def _runners(self, owned: ExitStack) -> dict[str, Runner]:
        runners = {}
        for name in sorted({name for lane in self._settings.lanes for name in lane.outputs()}):
            output = self._own.get(name) or build(self._settings.outputs[name])
            owned.callback(output.close)
            self._programs += [output] if isinstance(output, Command) else []
            runners[name] = Runner(name, output, self._clock, self._inbox.put)
        return runners

    def _alarms(self, outbox: Outbox, journal: str) -> Alarms | None:
        settings = self._settings.alarm
        if settings is None:
            return None

        def delivered(alarm: Alarm) -> None:
            if alarm.number:
                outbox.keep(note(ALARMED, journal, alarm.number))  # 30 bytes, replaced: no limit is in its way

        called = receiver(settings)
        self._programs += [called] if isinstance(called, Command) else []
        return Alarms(called, delivered)

    def _look_for_programs(self) -> None:
        """Log each program of an output or the alarm that is missing now and was not before; health names them all."""
        before, self._missing = self._missing, [each.problem for each in self._programs if each.problem]
        for problem in set(self._missing) - set(before):
            LOG.error("%s", problem)

    def _troubles(self, outbox: Outbox, alarms: Alarms | None) -> list[str]:
        """Return what is wrong beside the loop."""
        return [
            *outbox.problems(),
            *self._missing,
            *([alarms.problem] if alarms is not None and alarms.problem else []),
        ]

    def _counters(self, outbox: Outbox, alarms: Alarms | None) -> dict[str, int]:
        """Return what is counted beside the loop."""
        counters = {} if alarms is None else {"alarms_failed": alarms.failed, "alarms_dropped": alarms.dropped}
        if isinstance(outbox, DurableOutbox):
            counters |= {f"outbox_{name}": count for name, count in outbox.counters().items()}
        return counters

    def _say(self, decision: Decision) -> None:
        with self._some:
            self._decided.append(decision)
            self._some.notify_all()

    def _watch(self, file: AllowFile) -> None:
        while not self._stopping.wait(LIST_EVERY_S):
            self._look_for_programs()
            try:
                listing = file.poll()
            except Exception:  # a bug: the last good list stays, and the next change is looked at all the same
                self.counts["list faults"] += 1
                file.problem = (
                    f"{file.path}: a fault of this program while it was read; the last good list stays in force."
                )
                if self.counts["list faults"] == 1:
                    LOG.exception("gate: the allow-list could not be looked at; counted from now on")
                continue
            if listing is not None:
                self._inbox.put(Relisted(listing))

    def _leave(self, uplink: Uplink) -> None:
        uplink.wait_covered(FAREWELL_S)
        uplink.stop(1.0)
