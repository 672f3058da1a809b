"""Fifty seeded clips through the pass machine: cars against passes, misread, unread, frames to the first revision.

`python -m tests.scenarios.fifty` prints the figures.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from platefleet.agent.passes.decide import LaneState, decide
from platefleet.agent.passes.types import Ended, PassSettings, Revise
from platefleet.deploy.demo.verdict import Match, Shown, Told, pair
from platefleet.models.weights import materials
from platefleet.protocol.clock import SECOND_NS, Instant
from tests.scenarios.clips import Clip, looks, random_clip
from tests.scenarios.sightings import PhotoSeen, photo_sightings

CLIPS = 50


@dataclass
class Outcome:
    """What came of one clip. waited: frames from a plate's first whole reading to its pass's first revision."""

    clip: Clip
    matches: list[Match]
    waited: list[int] = field(default_factory=list)
    tracks: int = 0
    astray: list[str] = field(default_factory=list)
    """Cars whose pass ended with another direction than theirs."""

    @property
    def wrong(self) -> list[str]:
        """A sentence for each car without its pass and each pass without its car."""
        return [
            f"seed {self.clip.seed}: {match.car.name if match.car else 'no car'} / "
            f"{(match.told.text or match.told.unread) if match.told else 'no pass'}"
            for match in self.matches
            if match.car is None or match.told is None
        ]


def run(clip: Clip, photos: Mapping[str, PhotoSeen], settings: PassSettings | None = None) -> Outcome:
    """Put a clip through the pass machine."""
    settings = settings or PassSettings()
    state = LaneState(seed=f"clip {clip.seed}")
    told: dict[str, list[tuple[int, Revise]]] = {}
    most = number = 0
    for number, look in enumerate(looks(clip, photos)):
        state, effects = decide(state, look, settings)
        most = max(most, len(state.tracks))
        for effect in effects:
            if isinstance(effect, Revise):
                told.setdefault(effect.pass_id, []).append((number, effect))
    end = Instant(0, round((number + 2) * SECOND_NS / clip.scene.fps))
    for effect in decide(state, Ended(end), settings)[1]:
        if isinstance(effect, Revise):
            told.setdefault(effect.pass_id, []).append((number, effect))
    outcome = Outcome(clip, pair(_shown(clip), [_told(revisions) for revisions in told.values()]), tracks=most)
    for index, car in enumerate(clip.scene.cars):
        match = next(m for m in outcome.matches if m.car and m.car.name == car.name)
        if match.told and told[match.told.pass_id][-1][1].direction != (
            "receding" if index in clip.reversing else "approaching"
        ):
            outcome.astray.append(f"seed {clip.seed}: {car.name} {told[match.told.pass_id][-1][1].direction}")
        if match.told and match.told.text and index in clip.readable:
            first = next(frame for frame, revision in told[match.told.pass_id] if revision.text)
            outcome.waited.append(first - clip.readable[index])
    return outcome


def _shown(clip: Clip) -> list[Shown]:
    spans = [clip.scene.shown(index) for index in range(len(clip.scene.cars))]
    return [
        Shown(car.name, car.plate, first / clip.scene.fps, last / clip.scene.fps)
        for car, (first, last) in zip(clip.scene.cars, spans, strict=True)
    ]


def _told(revisions: list[tuple[int, Revise]]) -> Told:
    last = revisions[-1][1]
    return Told(
        last.pass_id,
        last.text,
        last.unread,
        last.first_seen.mono_ns / SECOND_NS,
        last.captured.mono_ns / SECOND_NS,
    )


@dataclass(frozen=True)
class Figures:
    """The sums over all clips."""

    clips: int
    cars: int
    passes: int
    wrong: tuple[str, ...]
    misread: int
    unread: int
    unread_readable: int
    waited_p50: float
    waited_p95: float


def figures(outcomes: list[Outcome]) -> Figures:
    """Return what the fifty clips come to."""
    matches = [match for outcome in outcomes for match in outcome.matches]
    told = [match for match in matches if match.told]
    waited = [frames for outcome in outcomes for frames in outcome.waited]
    return Figures(
        len(outcomes),
        sum(match.car is not None for match in matches),
        len(told),
        tuple(sentence for outcome in outcomes for sentence in outcome.wrong),
        sum(match.misread for match in told),
        sum(match.told is not None and not match.told.text for match in told),
        sum(
            match.told is not None and not match.told.text and match.car is not None and match.car.plate is not None
            for match in told
        ),
        float(np.percentile(waited, 50)),
        float(np.percentile(waited, 95)),
    )


def main() -> None:
    """Print the figures."""
    photos = photo_sightings(materials(photos=True))
    outcomes = [run(random_clip(seed), photos) for seed in range(CLIPS)]
    sums = figures(outcomes)
    frames = sum(len(outcome.clip.scene.frames) for outcome in outcomes)
    print(f"{sums.clips} clips, {frames} frames: {sums.cars} cars, {sums.passes} passes")
    print(f"misread {sums.misread} ({sums.misread / sums.passes:.1%})")
    print(
        f"unread {sums.unread} ({sums.unread / sums.passes:.1%}), {sums.unread_readable} of them with a readable plate"
    )
    waited = f"p50 {sums.waited_p50:.0f}, p95 {sums.waited_p95:.0f}"
    print(f"frames from the first whole reading to the first revision: {waited}")
    for sentence in sums.wrong:
        print(sentence, file=sys.stderr)
    print(f"another direction than the car's: {sum(len(outcome.astray) for outcome in outcomes)}")
    for outcome in outcomes:
        for sentence in outcome.astray:
            print(sentence, file=sys.stderr)
        for match in outcome.matches:
            if match.misread or (match.told and not match.told.text):
                print(f"seed {outcome.clip.seed}: {match}", file=sys.stderr)


if __name__ == "__main__":
    main()
