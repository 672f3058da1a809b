"""A vehicle has one plate; what is taken away from a plate makes it no other."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from platefleet.agent.passes import vote
from platefleet.agent.passes.company import is_fragment, is_known
from platefleet.agent.passes.decide import TRACKS, LaneState, decide
from platefleet.agent.passes.track import Track, contradicts
from platefleet.agent.passes.types import PassSettings, PlateSeen, Revise
from tests.looks import BARRIER, a_look, a_plate, a_reading, arriving, at, told

TEXTS = st.text("0123456789ABCDEFGH", min_size=4, max_size=9)


def a_track(text: str = "", *, box: tuple[float, float, float, float] = BARRIER, looks: int = 1) -> Track:
    votes = vote.Votes()
    for _ in range(looks if text else 0):
        votes = vote.add(votes, a_reading(text))
    return Track(
        f"track {text}", at(0), at(1), box, True, plate=box, plate_at=at(1), plates=looks, legible=looks, votes=votes
    )


@given(TEXTS, st.data())
def test_a_plate_that_is_partly_hidden_contradicts_nothing(text: str, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(text) - 1))
    part = text[first : data.draw(st.integers(first + 1, len(text)))]
    assert vote.differing(text, part) == vote.differing(part, text) == 0
    assert not contradicts(a_track(text, looks=3), a_reading(part))
    assert not contradicts(a_track(part, looks=3), a_reading(text))


@given(TEXTS, TEXTS)
def test_how_much_two_texts_differ_is_the_same_from_both_sides(a: str, b: str) -> None:
    assert vote.differing(a, b) == vote.differing(b, a) <= min(len(a), len(b))


def test_plates_of_one_series_contradict_each_other_once_the_text_is_known() -> None:
    assert contradicts(a_track("51F06532", looks=2), a_reading("51F88270"))
    assert not contradicts(a_track("51F06532", looks=2), a_reading("51F06582"))


def test_a_few_looks_at_a_told_plate_are_no_vehicle_of_their_own() -> None:
    told_of = replace(a_track("51F06532", looks=9), revision=1, told=a_reading("51F06532"))
    assert is_fragment(a_track("S1F06532"), [told_of])
    assert is_fragment(a_track("06532"), [told_of])
    assert not is_fragment(a_track("51G29034"), [told_of])
    assert not is_fragment(a_track("51F06532", looks=9), [told_of])


def test_a_vehicle_box_around_another_tracks_plate_is_that_tracks_vehicle() -> None:
    around = (200.0, 60.0, 420.0, 300.0)
    bare = Track("bare", at(0), at(1), around, False, vehicle=around)
    assert is_known(bare, [bare, a_track("51F06532")])
    assert not is_known(bare, [bare, a_track("51F06532", box=(500.0, 240.0, 600.0, 264.0))])


def test_words_that_come_along_above_a_plate_are_no_pass() -> None:
    def with_words(plate: PlateSeen) -> PlateSeen:
        x1, y1, x2, y2 = plate.box
        return a_plate("TAXI3838", (x1, y1 - 110, x2, y2 - 110))

    looks = [
        replace(look, plates=(*look.plates, *(with_words(plate) for plate in look.plates if plate.box[1] > 115)))
        for look in arriving("51F06532", 4.0, 9.0)
    ]
    looks += [a_look(9.0 + n / 10) for n in range(150)]
    passes = [effect for effects in told(looks) for effect in effects if isinstance(effect, Revise)]
    assert {effect.text for effect in passes} == {"51F06532"}
    assert sum(effect.final for effect in passes) == 1


def test_a_picture_full_of_plates_is_remembered_within_bounds_and_every_told_pass_ends() -> None:
    state, revisions = LaneState(seed="crowd"), []
    for number in range(60):
        down = number * 3.0
        crowd = [
            a_plate(
                f"{row}{column}A{row}{column}9",
                (column * 90.0 + 5, row * 60.0 + down + 5, column * 90.0 + 65, row * 60.0 + down + 20),
            )
            for row in range(5)
            for column in range(7)
        ]
        state, effects = decide(state, a_look(3 + number / 10, *crowd), PassSettings())
        assert len(state.tracks) <= TRACKS
        revisions += [effect for effect in effects if isinstance(effect, Revise)]
    open_passes = {track.pass_id for track in state.tracks if track.revision}
    ended = {revision.pass_id for revision in revisions if revision.final}
    assert {revision.pass_id for revision in revisions} == open_passes | ended
    assert open_passes
    assert not open_passes & ended
