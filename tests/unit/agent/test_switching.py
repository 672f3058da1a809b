"""An agent serves what the store says, and switches while cars go by: real artifacts, painted cars."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from platefleet.agent.run import assemble
from platefleet.agent.serving import Part, Shelf
from platefleet.agent.trial_ends import ask
from platefleet.models.artifacts.activation import Active, activated, rolled_back
from platefleet.models.artifacts.passport import Passport, Role
from platefleet.models.artifacts.room import Free
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.models.artifacts.trial import Idle, Watching
from platefleet.models.errors import ArtifactError
from platefleet.models.fetching import digest_of
from platefleet.models.weights import Materials
from platefleet.protocol.errors import ModelError
from tests.fake_detector import FakeDetector
from tests.painted_lane import BLUE, TEXT, a_camera, folder_of, painted, settings_of
from tests.painted_models import as_artifact, painted_model, painted_reader
from tests.switched_agent import TRIAL, Site, a_store, short_visits
from tests.until import until

LONG_S = 60.0


@pytest.fixture
def kept(tmp_path: Path) -> tuple[ArtifactStore, Passport]:
    return a_store(tmp_path / "store")


def a_candidate(store: ArtifactStore, folder: Path, **more: float) -> Passport:
    """An artifact that acceptance let through, whatever it is worth."""
    return as_artifact(store, "plate", painted_model(folder / "candidate.onnx", 2, "license_plate", **more))


def digest(passport: Passport) -> str:
    return passport.files[passport.model]


def active(store: ArtifactStore) -> Active:
    found = store.active("plate")
    assert found is not None
    return found


def test_the_active_artifact_serves_and_info_says_so(kept: tuple[ArtifactStore, Passport], tmp_path: Path) -> None:
    store, first = kept
    with Site(store, tmp_path / "lane") as site:
        assert site.serves == digest(first)
        assert site.running.names["plate"] == f"onnx/fp32/{digest(first)[:16]}"
        until(lambda: site.count("frames_looked_at") > 20)
        assert site.figures.troubles() == []


def test_an_artifact_that_is_damaged_is_told_and_the_configured_weights_serve(
    kept: tuple[ArtifactStore, Passport], tmp_path: Path
) -> None:
    store, first = kept
    (store.home(first) / first.model).write_bytes(b"rotten")
    with Site(store, tmp_path / "lane") as site:
        assert site.serves == "configured"
        asked = site.switching._polled_ns
        until(lambda: site.switching._polled_ns not in {asked, None}, LONG_S)  # the store was asked what it says
        until(lambda: site.count("frames_looked_at") > 20, LONG_S)
        told = site.figures.troubles()
        assert site.count("trials") == 0  # the same choice is not tried again
    assert len(told) == 1
    assert told[0].startswith("plate: the active artifact cannot be opened, the configured weights serve instead: ")
    assert "is damaged" in told[0]


def test_a_good_candidate_is_confirmed_and_no_frame_is_lost(
    kept: tuple[ArtifactStore, Passport], tmp_path: Path
) -> None:
    store, first = kept
    candidate = a_candidate(store, tmp_path, confidence=0.91)
    with Site(store, tmp_path / "lane") as site:
        ask(store, "plate", candidate.key)
        assert not active(store).confirmed
        until(lambda: active(store).confirmed, LONG_S)
        assert site.serves == digest(candidate)
        assert "swap" in site.figures.latencies()
        assert site.count("model_failures") == 0
        assert site.figures.troubles() == []
        frames = site.agent.health().cameras[0]
        assert frames.dropped == 0
    assert active(store).key == candidate.key
    assert active(store).previous == first.key


def test_one_that_passes_offline_and_finds_nothing_here_is_rolled_back_by_itself(
    kept: tuple[ArtifactStore, Passport], tmp_path: Path
) -> None:
    store, first = kept
    candidate = a_candidate(store, tmp_path, least_light=0.9)
    # 64 visits before: one that finds nothing is then given up within 10, whatever is drawn.
    with Site(store, tmp_path / "lane", trial={**TRIAL, "reference": 64, "visits": 11}) as site:
        until(site.knows_enough, LONG_S)  # so that the shadow is as short as it may be, too short to see anything
        ask(store, "plate", candidate.key)
        until(lambda: active(store).confirmed, LONG_S)
        assert site.serves == digest(first)
        assert site.count("trials_rolled_back") == 1
        (told,) = site.figures.troubles()
    assert active(store).key == first.key
    pattern = (
        rf"plate: {candidate.key[:8]} was given up and what ran before runs again: it found or read 0% in "
        r"(\d+) visits, (\d+) frames; before it was 100%"
    )
    found = re.fullmatch(pattern, told)
    assert found, told
    assert int(found[1]) <= 10


def test_one_that_fails_on_frames_of_this_lane_never_serves(
    kept: tuple[ArtifactStore, Passport], tmp_path: Path
) -> None:
    store, first = kept
    candidate = as_artifact(store, "plate", painted_model(tmp_path / "fails.onnx", 2, "license_plate", fails_below=0.4))
    with Site(store, tmp_path / "lane") as site:
        ask(store, "plate", candidate.key)
        until(lambda: active(store).confirmed, LONG_S)
        assert site.serves == digest(first)
        assert "swap" not in site.figures.latencies()
        assert "the forward pass failed" in site.figures.troubles()[0]


class Brittle(FakeDetector):
    """Fails at its fiftieth frame."""

    def detect(self, frame, regions):  # type: ignore[no-untyped-def]  # as above it
        if self.calls > 50:
            raise ModelError("the device is gone")
        return super().detect(frame, regions)


class BrittleShelf(Shelf):
    """Loads candidates that fail after a while."""

    loaded = 0

    def load(self, passport: Passport, model: Path) -> Part:
        part = super().load(passport, model)
        BrittleShelf.loaded += 1
        if BrittleShelf.loaded == 1:
            return part
        part.model.close()
        return Part(part.role, Brittle(BLUE, "license_plate"), part.info, passport)


def test_a_backend_that_fails_is_rolled_back_at_once_and_its_frame_is_looked_at_again(
    kept: tuple[ArtifactStore, Passport], tmp_path: Path
) -> None:
    store, first = kept
    candidate = a_candidate(store, tmp_path, confidence=0.91)
    BrittleShelf.loaded = 0
    with Site(store, tmp_path / "lane", BrittleShelf) as site:
        ask(store, "plate", candidate.key)
        until(lambda: active(store).confirmed, LONG_S)
        assert site.serves == digest(first)
        assert site.count("model_failures") == 0
        assert site.figures.troubles()[0].endswith("the device is gone")


@pytest.mark.parametrize(("text", "comes_of_it"), [(TEXT, "confirmed"), ("B123ABD", "rolled back")])
def test_a_reader_is_tried_by_the_texts_that_it_reads_otherwise(
    kept: tuple[ArtifactStore, Passport], tmp_path: Path, text: str, comes_of_it: str
) -> None:
    store, plate = kept
    first = as_artifact(store, "reader", painted_reader(tmp_path / "first.onnx", TEXT), size=96)
    store.choose("reader", lambda now: activated(now, first))
    candidate = as_artifact(store, "reader", painted_reader(tmp_path / "second.onnx", text, confidence=0.91), size=96)
    with Site(store, tmp_path / "lane", trial={**TRIAL, "shadow_frames": 40}) as site:
        ask(store, "reader", candidate.key)
        now = until(lambda: (found := store.active("reader")) and found.confirmed and found, LONG_S)
        served = {each.role: each.digest for each in site.running.infos()}
        told = site.figures.troubles()
        assert site.count("model_failures") == 0
    assert served["plate"] == digest(plate)
    if comes_of_it == "confirmed":
        assert (now.key, served["reader"], told) == (candidate.key, digest(candidate), [])
    else:
        assert (now.key, served["reader"]) == (first.key, digest(first))
        assert re.search(r"beside what runs it lost (\d+) of \1 finds in \d+ frames", told[0])


class Cramped(Shelf):
    """Of a device with memory for one model of a role only."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts, free=lambda: Free(300 << 20))


def test_where_memory_is_short_the_pause_is_announced_and_the_candidate_takes_the_place_between_two_cars(
    kept: tuple[ArtifactStore, Passport], tmp_path: Path
) -> None:
    store, _ = kept
    candidate = a_candidate(store, tmp_path, confidence=0.91)
    with Site(store, tmp_path / "lane", Cramped) as site:
        ask(store, "plate", candidate.key)
        told = until(site.figures.troubles, LONG_S)
        assert told[0].startswith(f"plate: {candidate.key[:8]}: it does not fit beside what runs (about ")
        assert told[0].endswith("256 MB stay free): a pause of unknown length, as soon as no car is there")
        until(lambda: active(store).confirmed, LONG_S)
        assert site.serves == digest(candidate)
        assert site.count("model_failures") == 0
        assert site.figures.troubles() == []
        assert "swap" in site.figures.latencies()
    opening = store.passport("plate", candidate.key).opening
    assert opening is not None  # so the next time the pause is known, and no child is waited for
    assert opening.seconds > 0


def test_one_that_took_the_place_and_fails_gives_it_back_and_its_frame_is_looked_at_again(
    kept: tuple[ArtifactStore, Passport], tmp_path: Path
) -> None:
    store, first = kept
    candidate = as_artifact(store, "plate", painted_model(tmp_path / "fails.onnx", 2, "license_plate", fails_below=0.4))
    with Site(store, tmp_path / "lane", Cramped) as site:
        ask(store, "plate", candidate.key)
        until(lambda: active(store).confirmed, LONG_S)
        assert active(store).key == first.key
        assert site.serves == digest(first)
        assert "swap" in site.figures.latencies()
        assert "the forward pass failed" in site.figures.troubles()[0]
        seen = site.count("frames_looked_at")
        until(lambda: site.count("frames_looked_at") > seen + 20)
        assert site.count("model_failures") == 0


class Refusing(Cramped):
    """What takes the place cannot be opened after all."""

    def in_place(self, role: Role, key: str) -> Part:
        raise ArtifactError(f"{role}/{key[:8]}: the child was killed, and was not loaded")


def test_one_that_cannot_be_opened_in_the_place_leaves_it_to_what_ran_before(
    kept: tuple[ArtifactStore, Passport], tmp_path: Path
) -> None:
    store, first = kept
    candidate = a_candidate(store, tmp_path, confidence=0.91)
    with Site(store, tmp_path / "lane", Refusing) as site:
        ask(store, "plate", candidate.key)
        until(lambda: active(store).confirmed, LONG_S)
        assert site.serves == digest(first)
        assert site.figures.troubles()[0].endswith("the child was killed, and was not loaded")
        seen = site.count("frames_looked_at")
        until(lambda: site.count("frames_looked_at") > seen + 20)
        assert site.count("model_failures") == 0


class Rotting(Refusing):
    """And what ran before is damaged meanwhile."""

    def in_place(self, role: Role, key: str) -> Part:
        (first,) = [each for each in self.store.passports(role) if each.key != key]
        (self.store.home(first) / first.model).write_bytes(b"rotten")
        return super().in_place(role, key)


def test_where_what_ran_before_cannot_be_opened_again_the_configured_weights_serve(
    kept: tuple[ArtifactStore, Passport], tmp_path: Path
) -> None:
    store, first = kept
    candidate = a_candidate(store, tmp_path, confidence=0.91)
    with Site(store, tmp_path / "lane", Rotting) as site:
        ask(store, "plate", candidate.key)
        until(lambda: active(store).confirmed, LONG_S)
        assert site.serves == "configured"
        said = f"plate: {first.title} cannot be opened again, the configured weights serve: "
        assert any(told.startswith(said) for told in site.figures.troubles())
        seen = site.count("frames_looked_at")
        until(lambda: site.count("frames_looked_at") > seen + 20)
        assert site.count("model_failures") == 0


def test_under_a_car_that_never_leaves_nothing_is_paused_and_that_is_said(
    kept: tuple[ArtifactStore, Passport], tmp_path: Path
) -> None:
    store, first = kept
    candidate = a_candidate(store, tmp_path, confidence=0.91)
    lane = folder_of([painted(top) for top in (90, 92, 90, 91)], tmp_path / "parked")
    with Site(store, lane, Cramped, trial={**TRIAL, "reference": 1, "looks": 100}) as site:
        ask(store, "plate", candidate.key)
        until(lambda: active(store).confirmed, LONG_S)
        assert active(store).key == first.key
        (told,) = site.figures.troubles()
        assert "a car was there, or too few came, in 101 frames, and there is no memory" in told
        assert "swap" not in site.figures.latencies()


def test_a_rollback_by_hand_ends_the_trial(kept: tuple[ArtifactStore, Passport], tmp_path: Path) -> None:
    store, first = kept
    candidate = a_candidate(store, tmp_path, confidence=0.91)
    patient = {"shadow_frames": 4, "reference": 1, "visits": 10_000, "slower": 1000.0}
    with Site(store, tmp_path / "lane", trial=patient) as site:
        ask(store, "plate", candidate.key)
        until(lambda: isinstance(site.switching.state, Watching), LONG_S)
        store.choose("plate", lambda now: rolled_back(now) if now else Active(first.key))
        until(lambda: site.serves == digest(first), LONG_S)
        assert isinstance(site.switching.state, Idle)
        assert site.figures.troubles() == []
    assert active(store).key == first.key


def test_a_trial_that_is_killed_comes_up_on_the_confirmed_artifact(
    kept: tuple[ArtifactStore, Passport], tmp_path: Path
) -> None:
    store, first = kept
    candidate = a_candidate(store, tmp_path, confidence=0.91)
    command = [sys.executable, "-m", "tests.switched_agent", str(store.root), str(tmp_path / "lane")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as agent:
        assert agent.stdout is not None
        try:
            assert next(agent.stdout)
            ask(store, "plate", candidate.key)
            assert any(line == "Watching\n" for line in agent.stdout)
        finally:
            agent.kill()
    assert active(store) == Active(candidate.key, first.key, confirmed=False, number=2)
    with Site(store, tmp_path / "lane") as site:
        assert site.serves == digest(first)
        assert active(store).confirmed
        (told,) = site.figures.troubles()
    assert told == f"plate: the trial of {candidate.key[:8]} was cut off by a restart; {first.key[:8]} runs again"


@pytest.mark.materials
def test_an_assembled_agent_serves_from_its_store_and_keeps_frames_in_it(
    kept: tuple[ArtifactStore, Passport], materials: Materials, tmp_path: Path
) -> None:
    store, first = kept
    lane = folder_of(short_visits(), tmp_path / "lane")
    models = {
        "store": str(store.root),
        **{role: str(getattr(materials, role)) for role in ("vehicle", "plate", "reader")},
    }
    settings = settings_of(
        a_camera(lane), models=models, outbox={"file": str(tmp_path / "outbox")}, clock={"assume_synced": True},
        health={"disk_least_bytes": 0},
    )  # fmt: skip
    agent = assemble(settings)
    agent.start()
    try:
        assert agent.wait_over(LONG_S)
        until(lambda: agent.figures.counts().get("own_frames", 0))
        served = {each.role: each.digest for each in agent._running.infos()}
        assert served["plate"] == digest(first)
        assert served["vehicle"] == digest_of(materials.vehicle)
    finally:
        agent.stop()
    assert list((store.root / "frames").rglob("*.jpg"))
