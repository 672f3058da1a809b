"""Stories of cars, each with the whole outcome under every step; a change of the machine is a diff to review.

A step is `SECONDS: THING, THING …`, ten frames a second; no thing is an empty lane. A thing is a plate, `TEXT X Y` or
`TEXT X Y > X Y` for one that moves (its middle; it is 100 pixels wide at the lower edge of 640×480 and less above), or
a vehicle `[X1 Y1 X2 Y2]`. `?TEXT` is read with little confidence. `gap` lets time go by without a look; `end` ends the
lane. `SECONDS: stopped` and `SECONDS: killed` let the agent be away: stopped in order, or killed with what it had kept
by then; told passes go on under their names.
Under `--` stands what was told since. `PLATEFLEET_REWRITE=1 pytest tests/scenarios/test_stories.py` writes anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from platefleet.agent.passes.decide import LaneState, decide
from platefleet.agent.passes.types import (
    Ended,
    Left,
    Look,
    PassEvent,
    PassSettings,
    PlateSeen,
    Revise,
    Standing,
    VehicleSeen,
)
from tests.kept import Kept
from tests.looks import HEIGHT, WIDTH, a_reading, at

STORIES = sorted((Path(__file__).parent / "stories").glob("*.txt"))
FPS = 10
PLATE = re.compile(r"(\??)(\w+) (-?\d+) (-?\d+)(?: > (-?\d+) (-?\d+))?$")
VEHICLE = re.compile(r"\[(\d+) (\d+) (\d+) (\d+)\]$")


def plate(thing: re.Match[str], share: float) -> PlateSeen | None:
    """Return a plate `share` of its way along, clipped at the border, or None where nothing of it is in the picture."""
    doubt, text, *numbers = thing.groups()
    x1, y1 = int(numbers[0]), int(numbers[1])
    x2, y2 = (int(numbers[2]), int(numbers[3])) if numbers[2] else (x1, y1)
    x, y = x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
    wide = 60 + 40 * max(0.0, y) / HEIGHT
    left, top = max(0.0, x - wide / 2), max(0.0, y - wide / 8)
    right, bottom = min(float(WIDTH), x + wide / 2), min(float(HEIGHT), y + wide / 8)
    if right <= left or bottom <= top:
        return None
    box = (left, top, right, bottom)
    return PlateSeen(box, box, 0.8, a_reading(text, 0.3 if doubt else 0.97))


def look(seconds: float, things: list[str], share: float) -> Look:
    plates, vehicles = [], []
    for thing in things:
        if body := VEHICLE.match(thing):
            x1, y1, x2, y2 = (float(number) for number in body.groups())
            vehicles.append(VehicleSeen((x1, y1, x2, y2), "car", 0.8))
        else:
            known = PLATE.match(thing)
            assert known, f"no plate and no vehicle: {thing!r}"
            if seen := plate(known, share):
                plates.append(seen)
    return Look(at(seconds), WIDTH, HEIGHT, tuple(vehicles), tuple(plates))


def events(step: str, now_s: float) -> Iterator[tuple[float, PassEvent | None]]:
    """Yield a step's moments, with what happens at each."""
    if step == "end":
        yield now_s + 1 / FPS, Ended(at(now_s + 1 / FPS))
        return
    length, _, rest = step.partition(":")
    if rest.strip() == "stopped":
        yield now_s, Left(at(now_s))
    if rest.strip() in {"gap", "stopped", "killed"}:
        yield now_s + float(length), None
        return
    things = [thing.strip() for thing in rest.split(",") if thing.strip()]
    count = round(float(length) * FPS)
    for number in range(1, count + 1):
        moment = now_s + number / FPS
        yield moment, look(moment, things, number / count)


def outcome(story: str) -> str:
    """Return the story with what the machine tells under each step."""
    settings, kept = PassSettings(), Kept()
    state, now_s, lines = LaneState(seed="story"), 0.0, []
    names: dict[str, str] = {}
    for line in story.splitlines():
        if line.startswith("  ") or line == "--":
            continue
        lines.append(line)
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("lane "):
            corners = [float(number) for number in line.removeprefix("lane ").split()]
            settings = PassSettings(polygon=tuple(zip(corners[::2], corners[1::2], strict=True)))
            continue
        told, stands = [], 0
        for moment, happened in events(line, now_s):
            now_s, event = moment, happened
            if event is None and not line.endswith(("stopped", "killed")):
                continue
            if event is None:
                state, event = LaneState(seed=f"story from {moment}"), kept.resumed(at(moment))
            state, effects = decide(state, event, settings)
            kept.note(effects)
            for effect in effects:
                if isinstance(effect, Revise):
                    name = names.setdefault(effect.pass_id, "ABCDEFGH"[len(names)])
                    what = effect.text or f"unread, {effect.unread}"
                    final = " final" + " interrupted" * effect.interrupted if effect.final else ""
                    told.append(f"  {moment:.1f} {name}{effect.revision} {what}, {effect.direction}{final}")
                stands += isinstance(effect, Standing)
        lines += [
            "--",
            *told,
            *([f"  announced again: {stands}"] if stands else []),
            *([] if told or stands else ["  -"]),
        ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_each_story_ends_as_it_is_told(path: Path) -> None:
    story = path.read_text(encoding="utf-8")
    if os.environ.get("PLATEFLEET_REWRITE"):
        path.write_text(outcome(story), encoding="utf-8")
    assert outcome(story) == path.read_text(encoding="utf-8")


def test_there_are_stories() -> None:
    assert len(STORIES) >= 10
