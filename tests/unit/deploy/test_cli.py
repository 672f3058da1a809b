"""The command line's edge: what a failure of the world around it looks like."""

from __future__ import annotations

import io
import subprocess
import sys

from rich.console import Console

from platefleet.deploy.bench.table import table_of


def test_a_full_disk_behind_the_output_is_one_sentence() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "platefleet.deploy.cli", "--version"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "platefleet: the output: the disk is full; free some space\n"


def test_an_import_that_ctrl_c_cut_off_is_no_missing_library() -> None:
    program = (
        "import os, signal, sys\n"
        "from platefleet.deploy import cli\n"
        "from platefleet.models.errors import MissingExtra\n"
        "def cut_off(**_):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        signal.sigtimedwait([], 5)\n"
        "    except KeyboardInterrupt:\n"
        "        raise MissingExtra('it is not installed') from None\n"
        "cli.app = cut_off\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")


def test_what_a_benchmark_cannot_measure_is_shown_as_it_was_said() -> None:
    console = Console(width=100, file=io.StringIO())
    console.print(table_of("t", [{"skipped": 'pip install "platefleet[torch]"'}]))
    assert "platefleet[torch]" in console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
