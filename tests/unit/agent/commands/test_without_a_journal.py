"""An agent whose journal of commands cannot be opened: cars are read all the same, and health says why."""

from __future__ import annotations

from pathlib import Path

from platefleet.protocol.messages import PlateEvent
from tests.painted_lane import a_camera, a_visit, an_agent, bodies, folder_of, settings_of
from tests.trust_builders import ROOTS
from tests.until import until


def test_passes_are_closed_and_health_names_the_journal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    roots = [root.line() for root in ROOTS.named]
    settings = settings_of(
        a_camera(folder_of(a_visit(), tmp_path / "frames")),
        commands={"roots": roots, "journal": str(tmp_path / "file" / "journal")},
    )
    agent, outbox = an_agent(settings)
    agent.start()
    try:
        until(lambda: any(isinstance(body, PlateEvent) for body in bodies(outbox)), 30)
        problems = [each for each in agent.health().problems if "journal of commands" in each]
        assert len(problems) == 1
        assert problems[0].startswith("this device takes no commands")
    finally:
        agent.stop()
