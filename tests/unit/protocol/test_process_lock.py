"""One process at a time has what lies beside a lock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from platefleet.protocol.process_lock import ProcessLock, Taken

ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from platefleet.protocol.process_lock import ProcessLock
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
ProcessLock(Path(sys.argv[1]))
print("held")
"""


def test_a_second_one_is_told_who_has_it_and_gets_it_afterwards(tmp_path: Path) -> None:
    first = ProcessLock(tmp_path / "new" / "lock")
    with pytest.raises(Taken, match=f"^process {os.getpid()}$"):
        ProcessLock(tmp_path / "new" / "lock")
    first.release()
    first.release()
    ProcessLock(tmp_path / "new" / "lock").release()


def test_a_disk_that_takes_not_even_a_number_keeps_nobody_from_starting(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, str(tmp_path / "lock")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "held\n"), done.stderr
    assert "lock" in done.stderr
