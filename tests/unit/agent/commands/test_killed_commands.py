"""A device that is killed at any point of a command: it ends once, in a state that is true, and is told in order."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.killed_commands import SHORT


@pytest.mark.parametrize(("names", "every"), [(SHORT, "1"), (("build",), "1000")], ids=["every point", "one of build"])
def test_whatever_point_a_device_is_killed_at_its_command_ends_once_and_truly(
    names: tuple[str, ...], every: str
) -> None:
    command = [sys.executable, "-m", "tests.killed_commands", *names, "--every", every, "--json"]
    command += ["--at-once", "6"] if every == "1" else ["--at-once", "1", "--first", "14"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == [], done.stderr
    assert set(found["points"]) == set(names)
    if every == "1":
        assert min(found["points"].values()) >= 12
        assert found["ends"]["activate"]["rolled_back"] > 0
        assert found["ends"]["activate"]["succeeded"] > 0
