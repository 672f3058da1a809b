"""A device that lives through simulated nights: its real journal, clerk, desk, rules, window and store; time is turned.

What would take minutes of a real machine is scripted: `build`, `activate`, `benchmark` and `evaluate` have their real
names, arguments, steps and terms, and spend simulated minutes; `prune` is the real one. A power cut drops everything
but the disk; the device begins anew: another boot id, a monotonic clock from 0, and 1970 until it is told the time.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from platefleet.agent.commands.conditions import Conditions, Traffic
from platefleet.agent.commands.standing import StandingRules
from platefleet.agent.lane import Worked
from platefleet.models.artifacts.passport import Machine
from platefleet.protocol.codec import decode
from platefleet.protocol.commands.holds import Situation
from platefleet.protocol.messages import CommandStatus, Rule, Window
from platefleet.protocol.trust import TrustState
from tests.commanded import ATestHost, Commanded
from tests.night_stage import OLD, NightClock, PowerCut, Script, Stage, scripted


@dataclass
class NightHost(ATestHost):
    """machine_now: what the device runs on; another after an upgrade."""

    machine_now: Machine = OLD

    def machine(self) -> Machine:
        return self.machine_now


@dataclass
class Weather:
    """How the machine is: temperature and free memory."""

    hot: bool = False
    short: bool = False


@dataclass
class NightDevice:
    """One device over all its boots. `boot` it, `tick` it, `cut` it."""

    folder: Path
    clock: NightClock
    script: Script
    trust: TrustState
    window: Window
    rules: tuple[Rule, ...]
    weather: Weather = field(default_factory=Weather)
    boots: int = 0
    commits_left: int = -1
    told: list[CommandStatus] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stage = Stage(self.clock)
        self.known = scripted(self.stage, self.script)
        self.host = NightHost(self.folder, window_in_force=self.window)
        self.outbox: Any = None
        self.traffic = Traffic(self.clock)

    def boot(self) -> None:
        """Begin anew on the same disk."""
        self.boots += 1
        self.stage.boot = self.boots
        self.clock.booted_ns = self.clock.true_ns
        self.traffic = Traffic(self.clock)
        self.commits_left = -1
        self.device = Commanded(
            self.folder,
            host=self.host,
            trust=self.trust,
            clock=self.clock,
            outbox=self.outbox,
            after_commit=self._committed,
            boot=f"boot-{self.boots}",
            window=self.window,
            rules=self.rules,
            known=lambda: self.known,
            situation=self._situation,
        )
        device, self.outbox = self.device, self.device.outbox
        self.conditions = Conditions(
            self.traffic,
            window=lambda: device.choices.window,
            clock=self.clock,
            clock_good=lambda: self.clock.synced,
            boot=device.boot,
            temperature_limit_c=85.0,
        )
        self.standing = StandingRules(
            device.journal,
            device.clerk,
            device.choices,
            self.host.store,
            machine=self.host.machine,
            has_frames=lambda: True,
            ask=lambda order, arguments, also: device.clerk.take(order, arguments, role="device", also=also),
            boot=device.boot,
            figures=device.figures,
        )
        device.commands.chores = (self.standing.look,)
        device.commands._settle()

    def _situation(self, standing_still: bool, heavy: bool) -> Situation:
        how = self.conditions.situation(standing_still, heavy)
        hot, short = self.weather.hot, self.weather.short
        return replace(
            how,
            temperature_c=90.0 if hot else 50.0,
            free_memory_bytes=1 << 28 if short else 1 << 34,
            slow_since_ns=None,
        )

    @property
    def _threads(self) -> list[threading.Thread]:
        return self.device.commands._tries.threads

    def car(self) -> None:
        """A car is there."""
        self.traffic.watch(cast(Worked, SimpleNamespace(effects=("a pass is told of",))))

    def tick(self) -> None:
        """Let one turn of the commands' thread happen at this moment. Raises PowerCut."""
        commands = self.device.commands
        self.device.clock_good = self.clock.synced
        self.stage.turned()
        self.stage.settled(self._threads)
        while not commands._inbox.empty():
            commands._hear_one()
        commands._write_ended()
        commands._tick()
        commands._tell()
        self.stage.settled(self._threads)
        if self.commits_left == 0:
            raise PowerCut

    def cut(self) -> None:
        """Take the power away: only the disk is left."""
        self.stage.cut(self._threads)
        self.told += [decode(CommandStatus, record.body) for record in self.device.live]
        self.device.journal.close()

    def _committed(self) -> None:
        if self.commits_left > 0:
            self.commits_left -= 1
        if self.commits_left == 0:
            raise PowerCut
