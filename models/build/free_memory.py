"""How much memory a build may count on: the host's, or a graphics card's own where that is less."""

from __future__ import annotations

import subprocess

import psutil

_ASK_S = 5.0


def free_bytes() -> int:
    """Return what is free for a build now. A Jetson's GPU has the host's memory, and nvidia-smi tells none there."""
    host = int(psutil.virtual_memory().available)
    card = card_of(_said())
    return host if card is None else min(host, card)


def card_of(said: str) -> int | None:
    r"""Return the free bytes of the first graphics card in what nvidia-smi says, None where it tells none.

    >>> card_of("4096\n"), card_of("[N/A]\n"), card_of("")
    (4294967296, None, None)
    """
    first = said.strip().partition("\n")[0].strip()
    return int(first) << 20 if first.isascii() and first.isdigit() else None


def _said() -> str:
    command = ("nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits", "--id=0")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""
