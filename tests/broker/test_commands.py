"""An operator's command over the real broker: signed, sent, carried out by an agent that reads meanwhile, told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.book import Book, Signed
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.service import Console
from platefleet.models.operations import operations
from platefleet.models.operations.reading import result_of
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.codec import decode, encode
from platefleet.protocol.messages import Command, Info
from platefleet.protocol.session import Session
from tests.commanded import HOUR, new_id
from tests.mosquitto import Mosquitto
from tests.painted_lane import a_camera, a_visit, an_agent, folder_of, settings_of
from tests.trust_builders import ROOTS, a_trust, ordered, told, trusted
from tests.until import until

DEVICE = "gate-north"
pytestmark = pytest.mark.broker


class Site:
    """A console with its database, and an agent that trusts the test's root keys, at one broker."""

    def __init__(self, folder: Path, mosquitto: Mosquitto) -> None:
        self.mosquitto, self.clock = mosquitto, SystemClock()
        now_ns = self.clock.now().utc_ns
        self.database = ConsoleDatabase(f"sqlite:///{folder}/console.db", now_utc_ns=now_ns)
        self.book, self.asked = Book(self.database), Asked(self.database)
        trust = a_trust(
            1,
            trusted("ada", role="administrator", since=0, until=now_ns + 100 * HOUR),
            issued=now_ns,
        )
        self.book.take_trust(1, trust.ends_at_ns, told(trust))
        self.console = Console(Session("console", mosquitto.broker, clock=self.clock), self.book, clock=self.clock)
        settings = settings_of(
            a_camera(folder_of(a_visit(), folder / "frames"), loop=True),
            commands={"roots": [root.line() for root in ROOTS.named], "journal": str(folder / "journal")},
            clock={"assume_synced": True},
        )
        self.agent, self.events = an_agent(settings, broker=mosquitto.broker)

    def start(self) -> None:
        self.console.start()
        self.agent.start()

    def stop(self) -> None:
        self.agent.stop()
        self.console.stop()
        self.database.close()

    def install(self) -> str:
        def heard() -> Info | None:
            row = self.asked.device(DEVICE)
            info = None if row is None or row.info is None else decode(Info, bytes(row.info))
            return info if info is not None and info.trust_version else None

        info = until(heard, 30)
        assert info is not None
        return info.install

    def send(self, operation: str, **more: Any) -> str:
        now_ns = self.clock.now().utc_ns
        said: dict[str, Any] = {"id": new_id(), "device": DEVICE, "install": self.install(), "operation": operation}
        command = Command(**{**said, "issued_at": now_ns, "not_after": now_ns + HOUR, **more})
        self.book.add([Signed(command, ordered("ada", encode(command)), "ada")], now_ns)
        return command.id

    def state(self, id_: str) -> str:
        return str(self.asked.commands([id_])[0].state)


@pytest.fixture
def site(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Site]:
    site = Site(tmp_path, mosquitto)
    site.start()
    yield site
    site.stop()


def test_a_command_written_by_an_operator_comes_back_with_its_result(site: Site) -> None:
    id_ = site.send("snapshot")
    until(lambda: site.state(id_) == "succeeded", 30)
    states = [status.state for _, status in site.asked.statuses(id_)]
    last = site.asked.statuses(id_)[-1][1]
    assert states[0] == "accepted"
    assert last.result is not None
    assert result_of(operations()["snapshot"], last.result).pictures["entry"].startswith(b"\xff\xd8")


def test_a_command_sent_while_the_broker_is_away_is_done_when_it_is_back(site: Site) -> None:
    site.install()
    site.mosquitto.kill()
    id_ = site.send("diagnose")
    time.sleep(0.2)
    assert site.state(id_) == "pending"
    site.mosquitto.start()
    until(lambda: site.state(id_) == "succeeded", 60)
