"""The real Mosquitto on a port of its own, with its own configuration, users, access list and TLS."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from platefleet.deploy.demo.broker import free_port
from platefleet.protocol.session import Broker, Tls
from tests.prerequisites import broker as installed

START_S = 10.0


@dataclass(frozen=True)
class Options:
    """What is unusual about a broker. users: name → password. acl: lines of an access list. lines: more settings."""

    users: dict[str, str] | None = None
    acl: str | None = None
    tls: tuple[Path, Path, Path] | None = None
    """CA, certificate and key of the broker; clients must then show a certificate of the same CA."""
    lines: tuple[str, ...] = ()


class Mosquitto:
    """One broker; keeps its port over restarts, and holds nothing on disk, so that each start is an empty one."""

    def __init__(self, program: str, folder: Path, options: Options) -> None:
        self.port = free_port()
        self._program = program
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._configure()

    @property
    def broker(self) -> Broker:
        """How to reach it, with timings for tests."""
        return Broker("localhost" if self._options.tls else "127.0.0.1", self.port, backoff_s=0.05, backoff_most_s=0.5)

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-c", str(self._folder / "mosquitto.conf")], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, f"Mosquitto did not start: {self.log()}"
            assert time.monotonic() < deadline, f"Mosquitto does not answer: {self.log()}"
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it; everything it held is gone."""
        self._end(signal.SIGKILL)

    @property
    def folder(self) -> Path:
        """Where its configuration is, with `acl` and `passwords` if it has such."""
        return self._folder

    def reload(self, acl: str | None = None) -> None:
        """Let the running broker read its access list and passwords again; acl: another list."""
        assert self._process is not None
        if acl is not None:
            (self._folder / "acl").write_text(acl)
        self._process.send_signal(signal.SIGHUP)

    def log(self) -> str:
        """Return what it wrote."""
        return (self._folder / "log").read_text(errors="replace")

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.wait(10)
        self._process = None

    def _configure(self) -> None:
        options = self._options
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "set_tcp_nodelay true", *options.lines]
        if not any(line.startswith("allow_anonymous") for line in lines):
            lines.append(f"allow_anonymous {'false' if options.users else 'true'}")
        if options.users:
            passwords = self._folder / "passwords"
            passwords.write_text("".join(f"{name}:{password}\n" for name, password in options.users.items()))
            passwords.chmod(0o600)
            subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
            lines.append(f"password_file {passwords}")
        if options.acl is not None:
            (self._folder / "acl").write_text(options.acl)
            lines.append(f"acl_file {self._folder / 'acl'}")
        if options.tls is not None:
            ca, certificate, key = options.tls
            lines += [f"cafile {ca}", f"certfile {certificate}", f"keyfile {key}", "require_certificate true"]
        for path in self._folder.iterdir():
            path.chmod(0o644)  # started by root, Mosquitto reads them as another user
        self._folder.chmod(0o755)
        (self._folder / "mosquitto.conf").write_text("\n".join(["user root", *lines, ""]))


MakeMosquitto = Callable[..., Mosquitto]


@pytest.fixture
def make_mosquitto(tmp_path: Path) -> Iterator[MakeMosquitto]:
    """Start brokers: `make_mosquitto(users={"d": "secret"}, acl="…", lines=("max_packet_size 2000",))`."""
    program = installed()
    if program is None:
        pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
    made: list[Mosquitto] = []

    def make(**options: Any) -> Mosquitto:
        folder = tmp_path / f"mosquitto-{len(made)}"
        folder.mkdir()
        made.append(Mosquitto(program, folder, Options(**options)))
        made[-1].start()
        return made[-1]

    yield make
    for mosquitto in made:
        mosquitto.kill()


@pytest.fixture
def mosquitto(make_mosquitto: MakeMosquitto) -> Mosquitto:
    """One broker that lets everybody in."""
    return make_mosquitto()


def with_tls(broker: Broker, ca: Path, certificate: Path, key: Path) -> Broker:
    """Return the broker reached with TLS and a client certificate."""
    return replace(broker, tls=Tls(ca, certificate, key))
