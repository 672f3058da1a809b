"""A device's commands with a real journal and real signatures, a clock that the test turns, a host of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from platefleet.agent.commands.bucket import Bucket
from platefleet.agent.commands.choices import Choices
from platefleet.agent.commands.clerk import Clerk
from platefleet.agent.commands.clockwork import Clockwork
from platefleet.agent.commands.hearing import Hearing
from platefleet.agent.commands.journal import Journal
from platefleet.agent.commands.telling import Telling
from platefleet.agent.commands.terms import terms
from platefleet.agent.commands.worker import Commands
from platefleet.agent.figures import Figures
from platefleet.models.acceptance.dataset import Dataset, load_dataset
from platefleet.models.artifacts.machine import machine
from platefleet.models.artifacts.passport import Machine, Role
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.operations import operations
from platefleet.models.operations.port import Hosts, Operation
from platefleet.protocol.clock import Clock
from platefleet.protocol.clock_sync import stamped
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.commands.holds import Hours, Situation
from platefleet.protocol.delivery.frame import Record
from platefleet.protocol.delivery.outbox import MemoryOutbox, Outbox
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import Cancel, Command, CommandStatus, Rule, Window
from platefleet.protocol.trust import TrustState
from tests.trust_builders import T0, a_trust, adopted, ordered, trusted
from tests.turned_clock import TurnedClock
from tests.until import until

DEVICE, BOOT = "north-1", "boot-1"
HOUR = 3600 * 10**9
TRUST = adopted(a_trust(1, trusted("anna"), trusted("ada", role="administrator")))
_numbers = iter(range(1, 1 << 40))


def new_id() -> str:
    return uuid7(T0 // 1_000_000, next(_numbers).to_bytes(10, "big"))


@dataclass
class ATestHost:
    """What operations see of a device in a test."""

    folder: Path
    evaluation: Path | None = None
    window_in_force: Window = field(default_factory=Window)
    anew: int = 0
    run_id: str = "1" * 32
    hosts: Hosts = field(default_factory=Hosts)
    on_window: Callable[[Window], None] = lambda _window: None

    @property
    def store(self) -> ArtifactStore:
        return ArtifactStore(self.folder / "store")

    def machine(self) -> Machine:
        return machine()

    def frames(self, use: Literal["evaluation", "calibration"]) -> Dataset:
        return load_dataset(self.evaluation if self.evaluation is not None else self.folder / use)

    def threshold(self, role: Role) -> float:
        return 0.25

    def pictures(self, lanes: Sequence[str], most_bytes: int) -> Mapping[str, bytes]:
        return {lane: b"\xff\xd8" + lane.encode() for lane in lanes or ("in", "out")}

    def diagnosis(self) -> Mapping[str, Any]:
        return {"problems": []}

    def window(self) -> Window:
        return self.window_in_force

    def set_window(self, window: Window) -> None:
        self.on_window(window)
        self.window_in_force = window

    def begin_anew(self) -> None:
        self.anew += 1

    def run(self) -> str:
        return self.run_id


class Commanded:
    """A device that is being commanded. `start` runs its thread; `restart` ends it and begins anew on the same disk."""

    def __init__(
        self,
        folder: Path,
        *,
        host: ATestHost | None = None,
        trust: TrustState = TRUST,
        clock: Clock | None = None,
        outbox: Outbox | None = None,
        after_commit: Callable[[], None] = lambda: None,
        boot: str = BOOT,
        journal: Callable[..., Journal] = Journal,
        window: Window | None = None,
        rules: tuple[Rule, ...] = (),
        known: Callable[[], Mapping[str, Operation[Any, Any]]] = operations,
        situation: Callable[[bool, bool], Situation] | None = None,
        poll_s: float = 0.2,
    ) -> None:
        """situation: how things are; not given: `how`, which a test may change.

        poll_s: how long the thread waits at most before it goes round, which a test that turns the clock waits for.
        """
        self.folder, self.trust, self.boot = folder, trust, boot
        self.clock = clock or TurnedClock()
        self.host = host or ATestHost(folder)
        self.figures = Figures()
        self.clock_good = True
        self.how = Situation(self.clock.now(), boot, True, Hours(True))
        self.progress: list[tuple[str, str, float | None]] = []
        self.live: list[Record] = []
        self.outbox = outbox or MemoryOutbox(clock=self.clock)
        self.journal = journal(folder / f"{DEVICE}.commands", after_commit=after_commit)
        self.clockwork = Clockwork(self.journal, self.clock, lambda: self.clock_good)
        self.clerk = Clerk(
            self.journal, terms, clock=self.clock, stamp=lambda: stamped(self.clock.now(), boot, "synced")
        )
        self.choices = Choices(self.journal, self.clerk, window=window or Window(), rules=rules)
        self.host.on_window = self.choices.set_window
        self.telling = Telling(self.journal, self.outbox, lambda record, _: self.live.append(record), self.clock)
        self.hearing = Hearing(
            DEVICE,
            self.journal,
            self.clerk,
            host=self.host,
            trust=lambda: self.trust,
            again=self.telling.again,
            clockwork=self.clockwork,
            bucket=Bucket(burst=1 << 40),
            boot=boot,
            clock=self.clock,
            figures=self.figures,
        )
        self.commands = Commands(
            self.journal,
            self.clerk,
            self.hearing,
            self.telling,
            host=self.host,
            situation=situation or self._situation,
            progress=lambda *told: self.progress.append(told),
            clock=self.clock,
            figures=self.figures,
            others={},
            known=known,
            poll_s=poll_s,
        )
        self.rounds = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def install(self) -> str:
        return self.journal.install

    def _situation(self, standing_still: bool, heavy: bool) -> Situation:
        return replace(self.how, now=self.clock.now(), clock_good=self.clock_good)

    def _round(self) -> None:
        self.rounds += 1

    def start(self) -> Commanded:
        self._stop.clear()
        self._thread = threading.Thread(target=self.commands.run, args=(self._stop, self._round), daemon=True)
        self._thread.start()
        return self

    def stop(self, *, wake: bool = True) -> None:
        """End the thread as the agent does. wake: else it has to hear of it by itself."""
        self._stop.set()
        if wake:
            self.commands.wake()
        if self._thread is not None:
            self._thread.join(20)
            assert not self._thread.is_alive()
        self.journal.close()

    def command(self, operation: str, *, by: str = "ada", **more: Any) -> tuple[str, bytes]:
        """Return a command's id and the bytes that its operator signed."""
        now_ns = self.clock.now().utc_ns
        said: dict[str, Any] = {
            "id": new_id(),
            "device": DEVICE,
            "install": self.install,
            "issued_at": now_ns,
            "not_after": now_ns + HOUR,
        }
        command = Command(**{**said, "operation": operation, **more})
        return command.id, ordered(by, encode(command))

    def cancel(self, id_: str, *, by: str = "ada") -> bytes:
        now_ns = self.clock.now().utc_ns
        cancel = Cancel(
            id=new_id(), command=id_, device=DEVICE, install=self.install, issued_at=now_ns, not_after=now_ns + HOUR
        )
        return ordered(by, encode(cancel), "cancel")

    def send(self, operation: str, *, by: str = "ada", **more: Any) -> str:
        """Sign a command and let the device hear it; return its id."""
        id_, payload = self.command(operation, by=by, **more)
        self.commands.hear("command", payload)
        return id_

    def statuses(self, id_: str) -> list[CommandStatus]:
        """Return what the device told of a command, in order."""
        told = [decode(CommandStatus, record.body) for record in list(self.live)]
        return [status for status in told if status.command == id_]

    def said(self, id_: str) -> str:
        """Return the reason in the newest status of a command; empty: none, or none was told yet."""
        return next((status.reason for status in reversed(self.statuses(id_))), "")

    def states(self, id_: str) -> list[str]:
        return [status.state for status in self.statuses(id_)]

    def until(self, id_: str, *states: str, timeout_s: float = 30.0, turning: bool = False) -> CommandStatus:
        """Wait until a command is in one of these states; return that status. turning: let seconds pass meanwhile."""

        def found() -> CommandStatus | None:
            if turning and isinstance(self.clock, TurnedClock):
                self.clock.turn(1)
            return next((status for status in self.statuses(id_) if status.state in states), None)

        result = until(found, timeout_s)
        assert result is not None
        return result
