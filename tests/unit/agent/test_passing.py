"""What `platefleet agent run` prints of passes: a line when there is news of one, and never in a barrier's way."""

from __future__ import annotations

import io
import os
import re
from contextlib import suppress
from pathlib import Path

from platefleet.agent.passes.types import Standing
from platefleet.agent.passing import WAITING, Passing, line
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import PlateEvent
from tests.painted_lane import TEXT, a_camera, a_visit, an_agent, folder_of, settings_of
from tests.record_builders import a_pass
from tests.unit.agent.test_telling import PASS, Voice, a_revision
from tests.until import until


def shown(*events: PlateEvent) -> list[str]:
    """Return the lines that these events make."""
    out = io.BytesIO()
    with Passing(out) as passing:
        for event in events:
            passing(event)
        until(passing._lines.empty)
    until(lambda: not passing._thread.is_alive())
    return out.getvalue().decode().splitlines()


def test_a_line_says_when_and_where_what_was_read_and_how_sure_that_is() -> None:
    said = line(a_pass("B123ABC", 2))
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} in  B123ABC  sure 0.90, least 0.80, approaching, revision 2", said
    )
    assert line(a_pass(final=True)).endswith("approaching, final")
    assert line(a_pass(final=True).model_copy(update={"interrupted": True})).endswith("approaching, interrupted")


def test_a_vehicle_that_nobody_could_read_has_a_line_with_the_reason() -> None:
    unread = a_pass("", final=True).model_copy(update={"unread": "cut by the \x1b[31mframe"})
    assert "in  unread: cut by the \\x1b[31mframe, approaching, final" in line(unread)


def test_a_pass_has_one_line_however_often_it_is_told_unless_its_text_changes() -> None:
    again = [a_pass("AB1", 1), a_pass("AB1", 2), a_pass("AB12", 3), a_pass("AB12", 4, final=True)]
    other = a_pass("AB1", pass_id=uuid7(1, b"0123456789"))
    assert [said.split()[2] for said in shown(*again, other)] == ["AB1", "AB12", "AB1"]


def test_what_is_announced_again_is_not_said_again() -> None:
    voice, said = Voice(), list[PlateEvent]()
    voice.teller._said = said.append
    voice.do(a_revision())
    for _ in range(3):
        voice.clock.turn(3)
        voice.do(Standing(PASS, voice.clock.now()))
    voice.do(a_revision(revision=2, final=True))
    assert len(voice.uplink.told) == 5
    assert [(event.revision, event.final) for event in said] == [(1, False), (2, True)]


def test_an_agent_says_a_pass_when_it_tells_it_and_its_end_too(tmp_path: Path) -> None:
    folder_of(a_visit(), tmp_path)
    said: list[PlateEvent] = []
    agent, _ = an_agent(settings_of(a_camera(tmp_path)), said=said.append)
    agent.start()
    assert agent.wait_over(30)
    agent.stop()
    assert {(event.lane, event.text) for event in said} == {("entry", TEXT)}
    assert [event.final for event in said] == [False] * (len(said) - 1) + [True]


def test_a_reader_who_takes_nothing_holds_nobody_up_and_hears_how_much_it_missed() -> None:
    reading, writing = os.pipe()
    fill(writing)
    passing = Passing(os.fdopen(writing, "wb", buffering=0))
    with passing:
        for number in range(WAITING + 50):
            passing(a_pass(f"AB{number}", pass_id=uuid7(number, b"0123456789")))
    taken = b""
    while b"are left out: nobody took them in time\n" not in taken:
        taken += os.read(reading, 65536)
    passing.__exit__()
    until(lambda: not passing._thread.is_alive())
    os.close(reading)


def fill(writing: int) -> None:
    """Fill a pipe, so that whoever writes to it next has to wait."""
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)


def test_a_reader_who_went_away_ends_the_lines_and_nothing_else() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with Passing(os.fdopen(writing, "wb", buffering=0)) as passing:
        passing(a_pass())
        until(lambda: not passing._thread.is_alive())
        for number in range(2 * WAITING):
            passing(a_pass(pass_id=uuid7(number, b"0123456789")))
