"""Situations in which a command does not go on, each made for real; what is true, and what `fleet why` answers.

`python -m tests.why_ten` prints them side by side. The device is one with a real journal and real signatures, whose
clock, memory and traffic the situation sets; the console is one with a real database.
"""

from __future__ import annotations

import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.book import Book, Signed
from platefleet.fleet.console.commands.asking import why_of
from platefleet.fleet.console.commands.desk import Open
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.explain import Why
from platefleet.models.operations.port import Hosts
from platefleet.protocol.codec import decode
from platefleet.protocol.messages import Command, Envelope, Span, Window
from platefleet.protocol.windows import hours_at
from tests.commanded import DEVICE, ATestHost, Commanded
from tests.console_builders import a_presence, an_info
from tests.trust_builders import DAY
from tests.until import until

SECOND = 10**9
MINUTE = 60 * SECOND


class Desk:
    """A console and a device, between which the situation carries what it wants carried."""

    def __init__(self, folder: Path, server: socket.socket) -> None:
        self.port = server.getsockname()[1]
        host = ATestHost(folder, hosts=Hosts(names=(f"127.0.0.1:{self.port}", "127.0.0.1:1")))
        self.device = Commanded(folder, host=host).start()
        self.database = ConsoleDatabase(f"sqlite:///{folder}/console.db", now_utc_ns=self.now_ns)
        self.book, self.asked = Book(self.database), Asked(self.database)
        self.book.take_trust(1, self.now_ns + 60 * DAY, b"a trust")
        self.book.heard_presence(DEVICE, a_presence(), self.now_ns)
        self.book.heard_info(an_info(DEVICE, install=self.device.install), self.now_ns)

    @property
    def now_ns(self) -> int:
        return self.device.clock.now().utc_ns

    def stop(self) -> None:
        self.device.stop()
        self.database.close()

    def set(self, **how: Any) -> None:
        """Change how things are on the device."""
        self.device.how = replace(self.device.how, **how)

    def order(self, operation: str = "benchmark", **more: Any) -> str:
        """Sign a command into the console's database."""
        arguments = {"role": "plate"} if operation == "benchmark" else {}
        id_, envelope = self.device.command(operation, **{"arguments": arguments, **more})
        self.book.add([Signed(decode(Command, decode(Envelope, envelope).body), envelope, "ada")], self.now_ns)
        return id_

    def send(self) -> None:
        """Do what the service does once."""
        due = self.book.due(self.now_ns, 9)
        self.book.sent(due, self.now_ns)

    def deliver(self, *states: str, operation: str = "benchmark", **more: Any) -> str:
        """Order, send, let the device hear it, and carry back what it says until it is in one of these states."""
        id_ = self.order(operation, **more)
        envelope = next(each.envelope for each in self.book.due(self.now_ns, 9) if each.id == id_)
        self.send()
        self.device.commands.hear("command", envelope)
        last = self.device.until(id_, *states)
        told = [each for each in self.device.statuses(id_) if each.number <= last.number]
        self.book.heard_statuses([(DEVICE, each) for each in told], self.now_ns)
        return id_

    def fetched(self, port: int) -> dict[str, Any]:
        url = f"https://127.0.0.1:{port}/plate.onnx"
        return {"arguments": {"role": "plate", "url": url, "sha256": "0" * 64, "bytes": 1000, "anyhow": True}}

    def why(self, id_: str) -> Why:
        (row,) = self.asked.commands([id_])
        found = why_of(Open(self.book, self.asked, self.now_ns), row)
        assert isinstance(found, Why)
        return found


@dataclass(frozen=True)
class Situation:
    """make: brings it about and returns the command. words: of the answer. after_s: when it is to go on, from now."""

    name: str
    truth: str
    make: Callable[[Desk], str]
    words: tuple[str, ...]
    after_s: float | None = None
    moves: bool = True


def _device_off(desk: Desk) -> str:
    desk.book.heard_presence(DEVICE, a_presence("lost"), desk.now_ns)
    desk.device.clock.turn(240)
    id_ = desk.order()
    desk.send()
    return id_


def _no_trust(desk: Desk) -> str:
    with desk.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM console_trust")
    return _unanswered(desk)


def _trust_ended(desk: Desk) -> str:
    desk.device.clock.turn(61 * DAY / SECOND)
    return _unanswered(desk)


def _unanswered(desk: Desk) -> str:
    id_ = desk.order()
    desk.send()
    return id_


def _window_closed(desk: Desk) -> str:
    window = Window(zone="UTC", spans=(Span(start="23:00", end="04:00"),))
    desk.set(hours=hours_at(window, desk.now_ns))  # it is 11:06:40
    return desk.deliver("waiting")


def _car(desk: Desk) -> str:
    now = desk.device.clock.now()
    desk.set(car_mono_ns=now.mono_ns - 40 * SECOND, quiet_s=300)
    return desk.deliver("waiting")


def _memory(desk: Desk) -> str:
    desk.set(free_memory_bytes=300_000_000)
    return desk.deliver("waiting")


def _another(desk: Desk) -> str:
    desk.deliver("running", operation="fetch", **desk.fetched(desk.port))  # a server that never answers
    return desk.deliver("waiting")


def _hot(desk: Desk) -> str:
    desk.set(temperature_c=91.0, temperature_limit_c=85.0)
    return desk.deliver("waiting")


def _clock(desk: Desk) -> str:
    desk.device.clock_good = False
    return desk.deliver("waiting")


def _not_before(desk: Desk) -> str:
    return desk.deliver("waiting", not_before=desk.now_ns + 30 * MINUTE)


def _retry(desk: Desk) -> str:
    id_ = desk.deliver("running", operation="fetch", **desk.fetched(1))  # nobody listens there

    def tried() -> bool:
        return desk.device.statuses(id_)[-1].state == "waiting"

    until(tried, 30)
    desk.book.heard_statuses([(DEVICE, each) for each in desk.device.statuses(id_)], desk.now_ns)
    return id_


def _not_sent(desk: Desk) -> str:
    return desk.order()


def _ended(desk: Desk) -> str:
    id_ = desk.order()
    desk.send()
    desk.device.clock.turn(600)
    return id_


TO_23 = (11 * 60 + 53) * 60 + 20.0
SITUATIONS = (
    Situation("the device is off", "it was lost 4 minutes ago", _device_off, ("north-1 has been lost for 4 min",)),
    Situation("no trust was published", "no device believes anybody", _no_trust, ("no trust",), moves=False),
    Situation("the trust ended", "it held 60 days, 61 ago", _trust_ended, ("trust has ended",), moves=False),
    Situation("the console is not running", "nothing was sent", _not_sent, ("not sent yet", "running"), moves=False),
    Situation("the console ended", "598 s after it was due", _ended, ("9 min ago", "running"), moves=False),
    Situation("the window is closed", "it opens at 23:00 UTC", _window_closed, ("window:", "23:00"), TO_23),
    Situation("a car was there", "40 s ago; 300 s are wanted", _car, ("traffic:", "40 s ago", "300 s"), 260.0),
    Situation("memory is short", "0.3 GB are free", _memory, ("memory:", "0.3 of the")),
    Situation("another command runs", "a fetch runs since now", _another, ("command:", "fetch")),
    Situation("it is hot", "91 °C; 80 are wanted", _hot, ("temperature:", "91 °C", "80 °C")),
    Situation("the clock is not synchronised", "nobody knows the time", _clock, ("clock:", "not synchronised")),
    Situation("it was asked for later", "in 30 minutes", _not_before, ("not_before:",), 1800.0),
    Situation(
        "it failed and is tried again", "the first try found nobody", _retry, ("retry:", "cannot be reached"), 60.0
    ),
)


@contextmanager
def desk_in(folder: Path) -> Iterator[Desk]:
    """Yield a desk in an empty folder, and clear up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        desk = Desk(folder, server)
        try:
            yield desk
        finally:
            server.close()
            desk.stop()


def answered(situation: Situation, folder: Path) -> tuple[Why, float | None]:
    """Return the answer, and after how many seconds it says that the command goes on."""
    with desk_in(folder) as desk:
        answer = desk.why(situation.make(desk))
        after_s = None if answer.until_ns is None else (answer.until_ns - desk.now_ns) / SECOND
        return answer, after_s


def main() -> None:
    sys.stdout.write("| situation | truth | answer | goes on in |\n|---|---|---|---|\n")
    for situation in SITUATIONS:
        with tempfile.TemporaryDirectory() as folder:
            answer, after_s = answered(situation, Path(folder))
        when = ("nobody knows" if answer.moves else "never by itself") if after_s is None else f"{after_s:.0f} s"
        sys.stdout.write(f"| {situation.name} | {situation.truth} | {answer.says} | {when} |\n")


if __name__ == "__main__":
    main()
