"""The command line's edge: what a failure of the world around it looks like."""

from __future__ import annotations

import subprocess
import sys


def test_a_full_disk_behind_the_output_is_one_sentence() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "platefleet.deploy.cli", "--version"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "platefleet: the output: the disk is full; free some space\n"
