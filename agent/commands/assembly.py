"""The commands put together from the agent's settings. Wiring only."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platefleet.agent.commands.cameras import Cameras
from platefleet.agent.commands.choices import Choices
from platefleet.agent.commands.clerk import Clerk
from platefleet.agent.commands.clockwork import Clockwork
from platefleet.agent.commands.conditions import Conditions, Traffic
from platefleet.agent.commands.desired import Ask, DesiredState
from platefleet.agent.commands.hearing import Hearing
from platefleet.agent.commands.host import AgentHost
from platefleet.agent.commands.journal import Journal
from platefleet.agent.commands.standing import StandingRules
from platefleet.agent.commands.telling import Telling
from platefleet.agent.commands.terms import terms
from platefleet.agent.commands.worker import Commands
from platefleet.agent.disk import outbox_file
from platefleet.agent.figures import Figures
from platefleet.agent.lane import Observer, Worked
from platefleet.agent.settings.commands import RULES
from platefleet.agent.settings.tree import Settings
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.errors import ArtifactError
from platefleet.protocol import topics
from platefleet.protocol.clock import Clock
from platefleet.protocol.clock_sync import clock_state
from platefleet.protocol.commands.order import Order
from platefleet.protocol.delivery.frame import Record
from platefleet.protocol.delivery.outbox import Outbox
from platefleet.protocol.messages import Info, Message, Progress, Stamp
from platefleet.protocol.session import Received
from platefleet.protocol.trust import Refused, adopt, roots
from platefleet.protocol.trust_file import TrustFile

LOG = logging.getLogger(__name__)


def journal_file(settings: Settings) -> Path:
    """Return the journal of commands: as set, or beside the outbox."""
    return settings.commands.journal or outbox_file(settings).with_suffix(".commands")


class Trusted:
    """The trust in force, and where it is kept. Belongs to the commands' thread; `state` may be asked from any."""

    def __init__(self, settings: Settings, now_utc_ns: Callable[[], int | None], figures: Figures) -> None:
        self._roots = roots(settings.commands.roots, "commands.roots")
        self._file = TrustFile(journal_file(settings).with_suffix(".trust"), self._roots)
        self._now, self._figures = now_utc_ns, figures
        self.state = self._file.load()
        for number, problem in enumerate(self._file.problems):
            figures.trouble(f"trust {number}", problem)
        self.changed: Callable[[], None] = lambda: None

    def heard(self, payload: bytes) -> None:
        """Take what came on `trust`."""
        found = adopt(self.state, payload, self._roots, self._now())
        if isinstance(found, Refused):
            self._figures.count("trust_alarms" if found.alarm else "trust_refused")
            if self._figures.trouble(
                "trust alarm" if found.alarm else "trust", f"a trust was refused: {found.says}"[:512]
            ):
                LOG.log(logging.ERROR if found.alarm else logging.WARNING, "a trust was refused: %s", found.says)
        elif found is not self.state:
            self.state = found
            self._figures.well("trust alarm")  # a higher version, which is what the alarm asks for
            kept = self._file.keep(found)
            (self._figures.trouble("trust", kept) if kept else self._figures.well("trust"))
            self.changed()

    @property
    def version(self) -> int:
        """The version in force; 0: none."""
        adopted = self.state.adopted
        return 0 if adopted is None else adopted.trust.trust_version


@dataclass(frozen=True)
class Parts:
    """What the agent needs of its commands. observers: of every lane."""

    commands: Commands
    journal: Journal
    clerk: Clerk
    desired: DesiredState
    trusted: Trusted
    observers: tuple[Observer, ...]
    rules: StandingRules | None = None

    def run(self, stop: threading.Event, alive: Callable[[], None]) -> None:
        """Carry out what is asked for, and what the rules want, until `stop`; a worker of the supervisor."""
        if self.rules is None:
            self.commands.run(stop, alive)
            return
        self.rules.alarm.start()
        try:
            self.commands.run(stop, alive)
        finally:
            self.rules.alarm.stop()

    def completed(self, info: Info) -> Info:
        """Return the device's info with what its commands know."""
        return info.model_copy(
            update={
                "install": self.journal.install,
                "commands": tuple(self.clerk.entries())[:64],
                "desired_version": self.clerk.choices,
                "trust_version": self.trusted.version,
                "reported": self.desired.reported(),
            }
        )

    def on_message(self, received: Received) -> None:
        """Take a message of one of these topics; never blocks."""
        kind = topics.parse(received.topic).kind
        if kind in {"command", "desired", "trust"}:
            self.commands.hear(kind, received.payload)


def subscriptions(device: str) -> list[tuple[str, int]]:
    """Return what to subscribe to: trust first, by which all the rest is judged."""
    return [(topics.trust(), 1), (topics.command(device), 1), (topics.desired(device), 1)]


def commands_of(
    settings: Settings,
    outbox: Outbox,
    *,
    live: Callable[[Record, int], None],
    send: Callable[[str, Message], Any],
    diagnosis: Callable[[], Mapping[str, Any]],
    begin_anew: Callable[[], None],
    changed: Callable[[], None],
    stamp: Callable[[], Stamp],
    boot: str,
    clock: Clock,
    figures: Figures,
) -> Parts:
    """Return the device's commands; a root key has to be configured. Raises JournalError, ConfigError."""
    ours = settings.commands

    def synced() -> bool:
        return clock_state(clock.now(), assume_synced=settings.clock.assume_synced) != "unsynced"

    journal = Journal(journal_file(settings))
    if journal.damage:
        figures.trouble("journal damage", journal.damage)
    clockwork = Clockwork(journal, clock, synced)
    clerk = Clerk(journal, terms, clock=clock, stamp=stamp)
    configured = tuple(rule.model_copy(update={"enabled": rule.name in ours.rules}) for rule in RULES)
    choices = Choices(journal, clerk, window=ours.window.window(), rules=configured)
    trusted = Trusted(settings, clockwork.now_utc_ns, figures)
    telling = Telling(journal, outbox, live, clock)
    traffic, cameras = Traffic(clock, ours.frame_share), Cameras([lane.name for lane in settings.lanes])
    host = AgentHost(settings, cameras, choices, diagnosis=diagnosis, begin_anew=begin_anew)
    hearing = Hearing(
        settings.device,
        journal,
        clerk,
        host=host,
        trust=lambda: trusted.state,
        again=telling.again,
        clockwork=clockwork,
        boot=boot,
        clock=clock,
        figures=figures,
    )
    conditions = Conditions(
        traffic,
        window=lambda: choices.window,
        clock=clock,
        clock_good=lambda: clockwork.good,
        boot=boot,
        temperature_limit_c=ours.temperature_limit_c,
    )

    def ask(order: Order, arguments: Mapping[str, Any], also: Mapping[str, str]) -> None:
        clerk.take(order, arguments, role="device", also=also)

    store = settings.models.store
    desired = DesiredState(
        settings.device,
        journal,
        clerk,
        choices,
        store=None if store is None else ArtifactStore(store),
        trust=lambda: trusted.state,
        now_utc_ns=clockwork.now_utc_ns,
        ask=ask,
        boot=boot,
        clock=clock,
        figures=figures,
    )

    def progress(command: str, step: str, share: float | None) -> None:
        fraction = None if share is None else min(max(share, 0.0), 1.0)
        send(topics.progress(settings.device), Progress(command=command, step=step[:64], fraction=fraction))

    commands = Commands(
        journal,
        clerk,
        hearing,
        telling,
        host=host,
        situation=conditions.situation,
        progress=progress,
        clock=clock,
        figures=figures,
        others={"desired": desired.heard, "trust": trusted.heard},
        proven_ns=lambda: clockwork.proven_ns,
    )
    rules = _rules(settings, journal, clerk, choices, host, ask, boot, figures)
    commands.chores = (lambda _: clockwork.keep(), desired.look, *((rules.look,) if rules is not None else ()))
    desired.changed = trusted.changed = changed

    def watch(worked: Worked) -> None:
        traffic.watch(worked)
        cameras.watch(worked)

    return Parts(commands, journal, clerk, desired, trusted, (watch,), rules)


def _rules(  # noqa: PLR0917 - wiring
    settings: Settings,
    journal: Journal,
    clerk: Clerk,
    choices: Choices,
    host: AgentHost,
    ask: Ask,
    boot: str,
    figures: Figures,
) -> StandingRules | None:
    if settings.models.store is None:
        return None

    def has_frames() -> bool:
        try:
            return len(host.frames("evaluation")) > 0
        except ArtifactError:
            return False

    return StandingRules(
        journal,
        clerk,
        choices,
        ArtifactStore(settings.models.store),
        machine=host.machine,
        has_frames=has_frames,
        ask=ask,
        boot=boot,
        figures=figures,
    )
