"""From the command line to what the kit needs: how to reach the broker, and how things are restarted."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

from platefleet.protocol.errors import ConfigError
from platefleet.protocol.session import OPTIONS, Broker, Tls

RESTART_S = 60
BACKOFF_S = 1.0
"""The kit waits for a broker that was restarted; a device in the field would be in less of a hurry."""
SAID_MOST = 200


def broker_of(address: str, username: str, password_file: Path | None, tls: Tls | None) -> Broker:
    """Return how to reach the broker. Raises ConfigError."""
    host, port = host_and_port(address)
    return Broker(
        host,
        port or (8883 if tls else 1883),
        username=username or None,
        password=_password(password_file),
        tls=tls,
        backoff_most_s=BACKOFF_S,
        names=OPTIONS,
    )


def host_and_port(text: str) -> tuple[str, int]:
    """Return host and port, 0 where none is named. Raises ConfigError.

    >>> host_and_port("broker.example:8883"), host_and_port("[::1]:1883"), host_and_port("localhost")
    (('broker.example', 8883), ('::1', 1883), ('localhost', 0))
    """
    host, _, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "0")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"--broker: {text!a} is no address; host:port would be right, for example localhost:1883.")
    return host, int(port)


def restart_by(option: str, command: str) -> Callable[[], None]:
    """Return what runs `command` (no shell) and waits for it. Raises ConfigError for one that cannot be taken apart.

    The returned function raises ConfigError when the command fails or does not end.
    """
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"{option}: {command[:80]!a} is no command ({error}).") from error
    if not argv:
        raise ConfigError(f"{option}: empty; name a command that restarts it and then ends.")

    def restart() -> None:
        try:
            done = subprocess.run(argv, check=False, timeout=RESTART_S, stdin=subprocess.DEVNULL, capture_output=True)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigError(f"{option}: {error}") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()[-SAID_MOST:]
            raise ConfigError(f"{option}: ended with status {done.returncode} ({said or 'and said nothing'}).")

    return restart


def _password(file: Path | None) -> str | None:
    """Return the password from the file or the environment; never from the command line, which everybody can read."""
    if file is None:
        return os.environ.get("PLATEFLEET_CONFORMANCE_PASSWORD") or None
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--password-file: {file} cannot be read ({error}); name a file with one line.") from error
