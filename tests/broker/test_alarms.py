"""An agent that is killed is missed, over the real broker, and somebody is called until it is back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from platefleet.fleet.console.alarms import Limits
from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.book import Book
from platefleet.fleet.console.calling import Alarms
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.service import Console
from platefleet.fleet.console.tables import alarm
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.session import Session
from tests.mosquitto import Mosquitto
from tests.until import until

pytestmark = pytest.mark.broker


def started(port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.told_device", "north-1", str(port)])


def test_an_agent_that_is_killed_is_missed_until_it_is_back(mosquitto: Mosquitto, tmp_path: Path) -> None:
    clock = SystemClock()
    database = ConsoleDatabase(f"sqlite:///{tmp_path}/console.db", now_utc_ns=clock.now().utc_ns)
    alarms = Alarms(database, Limits(silent_s=8), None, clock=clock, look_ns=1)
    console = Console(
        Session("console", mosquitto.broker, clock=clock), Book(database), clock=clock, chores=(alarms.look,)
    )

    def rows() -> list[Any]:
        with database.begin() as connection:
            return list(connection.execute(select(alarm)).all())

    def there() -> bool:
        row = Asked(database).device("north-1")
        return row is not None and (row.kind, row.presence) == ("agent", "online")

    console.start()
    device = started(mosquitto.port)
    try:
        until(there, 60)
        device.kill()
        device.wait(10)
        raised = until(rows, 60)
        assert [(row.device, row.kind, row.until_ns) for row in raised] == [("north-1", "silent", None)]
        assert "gone without a word" in raised[0].says
        device = started(mosquitto.port)
        until(lambda: rows()[0].until_ns is not None, 60)
        assert len(rows()) == 1
    finally:
        device.kill()
        device.wait(10)
        console.stop()
        database.close()
