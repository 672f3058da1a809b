"""The end of an agent whose model is still at work: its status is its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from platefleet.models.weights import Materials

PROGRAM = """
import sys, threading
from pathlib import Path
import numpy as np
from platefleet.agent import service
from platefleet.models.backends import open_detector
from platefleet.models.detections import Region


class Agent:
    def start(self):
        detector, frame = open_detector(Path(sys.argv[2]), 640, 0.25, 0.45), np.zeros((480, 640, 3), np.uint8)
        self.works = threading.Event()

        def work():
            while True:
                self.works.set()
                detector.detect(frame, [Region.whole(frame)])

        threading.Thread(target=work, daemon=True).start()

    def hung(self):
        return []

    def wait_over(self, timeout_s):
        return self.works.is_set()

    def stop(self, timeout_s):
        print("stopped")
        return False


service.assemble = lambda settings, **more: Agent()
sys.exit(service.serve(Path(sys.argv[1]), "info", {}))
"""


@pytest.mark.materials
def test_an_agent_that_leaves_a_model_at_work_behind_ends_with_its_status_and_says_all(
    materials: Materials, tmp_path: Path
) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(f"""
device = "north-1"
broker = {{ host = "127.0.0.1" }}
[[lanes]]
name = "entry"
camera = {{ kind = "folder", path = "{tmp_path}" }}
""")
    command = [sys.executable, "-c", PROGRAM, str(config), str(materials.vehicle)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "stopped\n"
    assert "every lane's file is over" in done.stderr
    assert "terminate" not in done.stderr
