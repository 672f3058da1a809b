"""What lifts the barrier, and what a failure of it says."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from platefleet.fleet.gate.facts import Moved, Pulse
from platefleet.fleet.gate.outputs.base import Call, Order
from platefleet.fleet.gate.outputs.command import Command
from platefleet.fleet.gate.outputs.gpio import Gpio
from platefleet.fleet.gate.outputs.http import Http
from platefleet.fleet.gate.outputs.printed import Print
from platefleet.fleet.gate.outputs.runner import WAITING_MOST, Runner
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.errors import ConfigError, GateError
from tests.gate_builders import RULE
from tests.turned_clock import TurnedClock
from tests.until import BUSY, until

ORDER = Order("gate-1", "north-1", "entry", "B123ABC", "pass-1")
EVIL = Order("gate-1", "north-1", "$(touch evil); --force", "'; rm -rf / #", "")


# A line.


def test_print_writes_one_harmless_line() -> None:
    stream = io.StringIO()
    Print(stream).move(Order("gate-1", "north-1", "entry\x1b[2J", "B\n1"))
    assert stream.getvalue() == "open north-1/entry\\x1b[2J B\\n1\n"


def test_print_to_nobody_has_failed() -> None:
    stream = io.StringIO()
    stream.close()
    with pytest.raises(GateError, match="could not be written"):
        Print(stream).move(ORDER)


# A program.


def test_a_program_gets_the_order_as_arguments_and_environment_and_no_shell_sees_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = tmp_path / "lift"
    script.write_text(f'#!/bin/sh\nprintf "%s|" "$@" "$PLATEFLEET_LANE" "$PLATEFLEET_PLATE" > {out}\n')
    script.chmod(0o755)
    Command([str(script), "--lane", "{lane}", "x{lane}", "{plate}"]).move(EVIL)
    assert out.read_text() == f"--lane|{EVIL.lane}|x{{lane}}|{EVIL.plate}|{EVIL.lane}|{EVIL.plate}|"
    assert sorted(os.listdir(tmp_path)) == ["lift", "out"]


def test_a_program_does_not_get_the_gates_own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATEFLEET_GATE_SECRET", "secret")
    Command(["/bin/sh", "-c", f"env > {tmp_path / 'env'}"]).move(ORDER)
    assert "secret" not in (tmp_path / "env").read_text()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["/bin/sh", "-c", "exit 3"], "ended with status 3"),
        (["/bin/sh", "-c", "kill -9 $$"], "ended with signal 9"),
        (["/no/such/program"], "cannot be started"),
        (["/bin/echo", "\0"], "cannot be started"),
    ],
)
def test_a_program_that_does_not_end_well_has_failed(argv: list[str], said: str) -> None:
    with pytest.raises(GateError, match=said):
        Command(argv).move(ORDER)


def test_a_program_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    began = time.monotonic()
    with pytest.raises(GateError, match="killed; it may have moved"):
        Command(["/bin/sh", "-c", f"sleep 60 & echo $! > {pid}; wait"], timeout_s=0.5).move(ORDER)
    assert time.monotonic() - began < 5
    child = int(pid.read_text())
    until(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text())


# A URL.


class Asked(BaseHTTPRequestHandler):
    """Answers as its path says, and notes what it was asked."""

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.server.seen.append((self.command, self.path, self.rfile.read(length).decode(), dict(self.headers)))  # type: ignore[attr-defined]
        if self.path.startswith("/drip"):
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.server.ended.wait(0.05):  # type: ignore[attr-defined]
                try:
                    self.wfile.write(b"X-Drip: drop\r\n")
                except OSError:  # noqa: PERF203  # the client gave up, as it should
                    return
            return
        status = int(self.path[1:4])
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815  # the library's names

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    made.seen, made.ended, made.daemon_threads = [], threading.Event(), True
    made.url = f"http://127.0.0.1:{made.server_address[1]}"
    thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    made.ended.set()
    made.shutdown()
    made.server_close()
    thread.join(5)


FIELDS = {"lane": "lane", "who": "plate"}


def test_a_url_gets_the_order_encoded_in_a_form_or_in_the_query(server: Any) -> None:
    Http(f"{server.url}/200?door=1", parameters=FIELDS, headers={"X-Token": "t"}).move(EVIL)
    Http(f"{server.url}/204?door=1", method="GET", parameters=FIELDS).move(EVIL)
    encoded = "lane=%24%28touch+evil%29%3B+--force&who=%27%3B+rm+-rf+%2F+%23"
    (_, path, body, headers), (method, other, _, _) = server.seen
    assert (path, body, headers["X-Token"]) == ("/200?door=1", encoded, "t")
    assert (method, other) == ("GET", f"/204?door=1&{encoded}")


def test_redirects_are_not_followed_and_other_answers_are_failures(server: Any) -> None:
    with pytest.raises(GateError, match="status 302, and redirects are not followed"):
        Http(f"{server.url}/302").move(ORDER)
    with pytest.raises(GateError, match="status 500"):
        Http(f"{server.url}/500").move(ORDER)
    assert len(server.seen) == 2


def test_proxies_of_the_environment_are_not_asked(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    Http(f"{server.url}/200").move(ORDER)
    assert len(server.seen) == 1


def test_a_server_that_drips_is_given_up_in_time(server: Any) -> None:
    began = time.monotonic()
    with pytest.raises(GateError, match=r"no answer within 0\.5 s"):
        Http(f"{server.url}/drip", timeout_s=0.5).move(ORDER)
    assert time.monotonic() - began < 3 * BUSY


def test_nobody_there_is_a_failure() -> None:
    with pytest.raises(GateError, match="may have moved"):
        Http("http://127.0.0.1:9/").move(ORDER)


@pytest.mark.parametrize(
    "url",
    ["ftp://a/", "http:///x", "http://a:x/", "file:///etc/passwd", "http://u:p@a/", "http://a/\r\nX: y", "http://ä/"],
)
def test_what_is_no_url_to_ask_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigError, match="url: "):
        Http(url)


# A GPIO line; the library is a stand-in, because no line is to be had here.


class Line:
    def __init__(self) -> None:
        self.values: list[str] = []
        self.released = False

    def set_value(self, line: int, value: str) -> None:
        if line == 99:
            raise OSError("Input/output error")
        self.values.append(f"{line} {value}")

    def release(self) -> None:
        self.released = True


def a_library(line: Line, error: OSError | None = None) -> Any:
    def request_lines(chip: str, consumer: str, config: dict[int, Any]) -> Line:
        if error is not None:
            raise error
        line.values.append(f"requested {chip} {consumer} {config}")
        return line

    value = SimpleNamespace(ACTIVE="active", INACTIVE="inactive")
    names = SimpleNamespace(Value=value, Direction=SimpleNamespace(OUTPUT="output"))
    return SimpleNamespace(
        line=names, LineSettings=lambda **fields: sorted(fields.values(), key=str), request_lines=request_lines
    )


def test_a_line_is_held_inactive_pulsed_and_let_go() -> None:
    line = Line()
    gpio = Gpio("/dev/gpiochip0", 4, pulse_ms=10, library=a_library(line))
    gpio.move(ORDER)
    gpio.close()
    gpio.close()
    assert line.values == [
        "requested /dev/gpiochip0 platefleet {4: [False, 'inactive', 'output']}",
        "4 active",
        "4 inactive",
    ]
    assert line.released
    with pytest.raises(GateError, match="closed"):
        gpio.move(ORDER)


def test_closing_ends_a_pulse_and_leaves_the_line_inactive() -> None:
    line = Line()
    gpio = Gpio("/dev/gpiochip0", 4, pulse_ms=5000, library=a_library(line))
    thread = threading.Thread(target=gpio.move, args=(ORDER,))
    thread.start()
    until(lambda: "4 active" in line.values)
    gpio.close()
    thread.join(2)
    assert line.values[-1] == "4 inactive"
    assert line.released


def test_a_line_that_cannot_be_had_or_set_is_a_failure() -> None:
    with pytest.raises(GateError, match="cannot be had"):
        Gpio("/dev/gpiochip0", 4, library=a_library(Line(), OSError(16, "busy")))
    with pytest.raises(GateError, match="cannot be set"):
        Gpio("/dev/gpiochip0", 99, library=a_library(Line())).move(ORDER)


def test_without_the_library_one_sentence_says_how_to_install_it() -> None:
    try:
        import gpiod  # noqa: F401, PLC0415
    except ImportError:
        with pytest.raises(GateError, match='pip install "gpiod>=2"'):
            Gpio("/dev/gpiochip0", 4)
    else:
        with pytest.raises(GateError, match="cannot be had"):
            Gpio("/dev/no-such-chip", 4)


# The thread in front of an output.


def a_pulse(number: int = 0, until_mono_ns: int | None = None) -> Pulse:
    return Pulse(f"token-{number}", RULE, "B123ABC", until_mono_ns)


@pytest.fixture
def answers() -> list[Moved]:
    return []


def test_each_pulse_is_answered_once_and_in_order(answers: list[Moved]) -> None:
    orders: list[Order] = []
    runner = Runner("barrier", Call(orders.append), SystemClock(), answers.append)
    runner.start()
    for number in range(3):
        runner.submit(a_pulse(number))
        until(lambda number=number: len(answers) == number + 1)
    runner.stop()
    assert [(a.token, a.outcome) for a in answers] == [(f"token-{n}", "opened") for n in range(3)]
    assert orders[0] == Order("gate-1", "north-1", "entry", "B123ABC", "token-0")


def test_a_pulse_whose_turn_comes_too_late_moves_nothing(answers: list[Moved]) -> None:
    orders: list[Order] = []
    clock = TurnedClock()
    runner = Runner("barrier", Call(orders.append), clock, answers.append)
    runner.submit(a_pulse(until_mono_ns=clock.now().mono_ns + 10**9))
    clock.turn(1)
    runner.start()
    until(lambda: answers)
    runner.stop()
    assert answers[0].outcome == "withdrawn"
    assert orders == []


def test_a_full_queue_is_answered_at_once(answers: list[Moved]) -> None:
    runner = Runner("barrier", Call(lambda _: None), SystemClock(), answers.append)
    for number in range(WAITING_MOST + 1):
        runner.submit(a_pulse(number))
    assert [(a.token, a.outcome) for a in answers] == [(f"token-{WAITING_MOST}", "failed")]
    assert "busy" in answers[0].reason


def test_a_fault_of_a_function_is_a_failure_and_the_next_pulse_moves(answers: list[Moved]) -> None:
    def lift(order: Order) -> None:
        if order.pass_id == "token-0":
            raise RuntimeError("unplugged")

    runner = Runner("barrier", Call(lift), SystemClock(), answers.append)
    runner.start()
    runner.submit(a_pulse(0))
    runner.submit(a_pulse(1))
    until(lambda: len(answers) == 2)
    runner.stop()
    assert [a.outcome for a in answers] == ["failed", "opened"]


def test_what_waits_at_a_stop_does_not_move_and_is_answered_so(answers: list[Moved]) -> None:
    free, orders = threading.Event(), []

    def lift(order: Order) -> None:
        orders.append(order)
        free.wait(5)

    runner = Runner("barrier", Call(lift), SystemClock(), answers.append)
    runner.start()
    for number in range(3):
        runner.submit(a_pulse(number))
    until(lambda: orders)
    stopping = threading.Thread(target=runner.stop)
    stopping.start()
    until(lambda: runner._stopping)  # nothing else shows it
    free.set()
    stopping.join(5)
    runner.submit(a_pulse(3))
    assert [a.outcome for a in answers] == ["opened", "withdrawn", "withdrawn", "withdrawn"]
    assert len(orders) == 1
