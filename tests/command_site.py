"""A console with its database and an agent that trusts the test's keys, at one real broker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.book import Book, Signed
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.desiring import body_of, desired_of, wished
from platefleet.fleet.console.known import Known, known_of
from platefleet.fleet.console.service import Console
from platefleet.models.operations import operations
from platefleet.models.operations.reading import result_of
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.codec import encode
from platefleet.protocol.messages import Command, CommandStatus, Desired
from platefleet.protocol.session import Session
from tests.commanded import HOUR, new_id
from tests.mosquitto import Mosquitto
from tests.trust_builders import ROOTS, a_trust, ordered, told, trusted
from tests.until import until

DEVICE = "gate-north"
OVER = ("succeeded", "failed", "rejected", "cancelled", "expired", "rolled_back")


def commanded(folder: Path, **more: Any) -> dict[str, Any]:
    """The tables of an agent's settings that let it be commanded."""
    return {
        "commands": {"roots": [root.line() for root in ROOTS.named], "journal": str(folder / "journal"), **more},
        "clock": {"assume_synced": True},
    }


class Operators:
    """The console, its service running, and an operator called ada who may everything."""

    def __init__(
        self, folder: Path, mosquitto: Mosquitto, *, console: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self.clock = SystemClock()
        now_ns = self.clock.now().utc_ns
        self.database = ConsoleDatabase(f"sqlite:///{folder}/console.db", now_utc_ns=now_ns)
        self.book, self.asked = Book(self.database), Asked(self.database)
        ada = trusted("ada", role="administrator", since=0, until=now_ns + 100 * HOUR)
        trust = a_trust(1, ada, issued=now_ns)
        self.book.take_trust(1, trust.ends_at_ns, told(trust))
        self.console = Console(
            Session("console", mosquitto.broker, clock=self.clock), self.book, clock=self.clock, **console
        )

    def start(self) -> None:
        self.console.start()

    def stop(self) -> None:
        self.console.stop()
        self.database.close()

    def device(self) -> Known:
        """Wait until the device is known and trusts us."""

        def heard() -> Known | None:
            row = self.asked.device(DEVICE)
            device = None if row is None else known_of(row)
            return device if device is not None and device.info is not None and device.info.trust_version else None

        device = until(heard, 60)
        assert device is not None
        return device

    def send(self, operation: str, **more: Any) -> str:
        now_ns, device = self.clock.now().utc_ns, self.device()
        said: dict[str, Any] = {"id": new_id(), "device": DEVICE, "install": device.install, "operation": operation}
        if operations()[operation].versioned:
            said["builds_on"] = self.book.next_choices(DEVICE)
        command = Command(**{**said, "issued_at": now_ns, "not_after": now_ns + HOUR, **more})
        self.book.add([Signed(command, ordered("ada", encode(command)), "ada")], now_ns)
        return command.id

    def desire(self, *words: str, choices: int | None = None) -> Desired:
        """Desire something of the device; choices: a version that is not the next one."""
        now_ns, device = self.clock.now().utc_ns, self.device()
        row = self.asked.desired(DEVICE)
        before = None if row is None else body_of(row.envelope)
        desired = desired_of(device, wished(words), before, self.asked.artifact_keys(), now_ns)
        if choices is not None:
            desired = desired.model_copy(update={"choices": choices})
        self.book.desire(desired, ordered("ada", encode(desired), "desired"), "ada")
        return desired

    def state(self, id_: str) -> str:
        return str(self.asked.commands([id_])[0].state)

    def last(self, id_: str) -> CommandStatus:
        return self.asked.statuses(id_)[-1][1]

    def done(self, id_: str, timeout_s: float = 120.0) -> Any:
        """Wait until a command is over; return its result, which must be there."""
        until(lambda: self.state(id_) in OVER, timeout_s)
        last = self.last(id_)
        assert last.state == "succeeded", last
        assert last.result is not None
        return result_of(operations()[last.operation], last.result)
