"""Tells systemd that the agent is up and alive (source: sd_notify(3)); without systemd nothing happens."""

from __future__ import annotations

import socket
from collections.abc import Mapping


def notify(state: str, environ: Mapping[str, str]) -> bool:
    """Send a state such as READY=1 or WATCHDOG=1; whether somebody was there to hear it."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            connection.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)
    except OSError:
        return False
    return True


def watchdog_s(environ: Mapping[str, str]) -> float | None:
    """Return how often systemd wants to hear WATCHDOG=1, half its limit as advised; None: not at all.

    >>> watchdog_s({"WATCHDOG_USEC": "20000000"})
    10.0
    """
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / 2e6 if text.isdigit() and int(text) else None
