"""Runs a program under the filter of system calls that a systemd unit sets, without systemd: libseccomp and `exec`.

`python -m tests.filtered UNIT PROGRAM ARGUMENT…`. What is not allowed fails with EPERM, as the units have it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ERRNO, ALLOW = 0x00050000, 0x7FFF0000
"""Actions of libseccomp (source: seccomp.h): fail with the number in the low bits; let pass."""


def installed() -> bool:
    """Whether this machine has what is needed."""
    return shutil.which("systemd-analyze") is not None and ctypes.util.find_library("seccomp") is not None


def wanted(unit: str) -> list[str]:
    """Return what a unit's `SystemCallFilter` lists: groups, and calls by name."""
    return " ".join(re.findall(r"^SystemCallFilter=(.*)$", unit, re.MULTILINE)).split()


@functools.cache
def calls(name: str) -> frozenset[str]:
    """Return the calls of a group, groups within it too; a call by itself."""
    if not name.startswith("@"):
        return frozenset({name})
    told = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    lines = [line.strip() for line in told.stdout.splitlines()[1:]]
    return frozenset[str]().union(*(calls(line) for line in lines if line and not line.startswith("#")))


def allowed(unit: str) -> frozenset[str]:
    """Return every call that a unit allows. systemd itself adds `@default` and what starting takes."""
    return frozenset[str]().union(*(calls(name) for name in ("@default", *wanted(unit))), {"execve"})


def obey(unit: str) -> None:
    """Put this process and its children under the filter, for ever."""
    seccomp = ctypes.CDLL(ctypes.util.find_library("seccomp"), use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(ERRNO | errno.EPERM)))
    for name in sorted(allowed(unit)):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # this architecture has it
            added = seccomp.seccomp_rule_add(context, ctypes.c_uint32(ALLOW), ctypes.c_int(number), ctypes.c_uint(0))
            assert added == 0, (name, added)
    assert seccomp.seccomp_load(context) == 0


if __name__ == "__main__":
    obey(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.execvp(sys.argv[2], sys.argv[2:])
