"""Events as they are committed: each once, whatever clocks and arrivals do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.fleet.questions.events_sql import Wanted
from platefleet.fleet.questions.follow import Follower, follow, gained
from platefleet.fleet.questions.plates import meant
from platefleet.protocol.clock import SystemClock
from platefleet.protocol.delivery.coverage import merge
from tests.question_builders import Site, a_stamp, an_event, kept

SEQS = st.sets(st.integers(1, 40))


@contextmanager
def following(site: Site, wanted: Wanted | None = None) -> Iterator[Follower]:
    with site.reader() as reader:
        yield Follower(reader, wanted or Wanted())


def news(follower: Follower) -> list[str]:
    return sorted(found["text"] for found in follower.news())


def test_what_was_there_is_not_news_and_what_is_committed_is_once(site: Site) -> None:
    site.commit(kept(an_event("OLD1", 1), 1))
    with following(site) as follower:
        assert news(follower) == []
        site.commit(kept(an_event("NEW1", 2), 2), kept(an_event("NEW2", 3), 1, device="south-1"))
        assert news(follower) == ["NEW1", "NEW2"]
        site.commit(kept(an_event("NEW1", 2), 2))
        assert news(follower) == []


def test_what_comes_late_into_a_hole_or_with_an_old_time_is_news(site: Site) -> None:
    site.commit(kept(an_event("AB1", 1), 1), kept(an_event("AB5", 5), 5))
    with following(site) as follower:
        site.commit(kept(an_event("LATE", 3, stamp=a_stamp(1, "unsynced")), 3, at_s=-9999))
        assert news(follower) == ["LATE"]


def test_only_what_fits_is_news_and_a_better_revision_is_told_again(site: Site) -> None:
    with following(site, Wanted(plates=meant("B8", like=True), device="north-1")) as follower:
        site.commit(
            kept(an_event("88", 1), 1), kept(an_event("B8", 1, revision=2), 2), kept(an_event("XX", 2), 3),
            kept(an_event("B8", 3), 1, device="south-1"),
        )  # fmt: skip
        assert [(found["text"], found["revision"]) for found in follower.news()] == [("B8", 2)]
        site.commit(kept(an_event("BB", 1, revision=3, final=True), 4))
        assert [(found["text"], found["revision"]) for found in follower.news()] == [("BB", 3)]


def test_records_that_are_told_as_gone_are_no_events(site: Site) -> None:
    with following(site) as follower:
        site.gone(1, 1000)
        assert news(follower) == []


def test_a_store_that_cannot_be_read_is_said_once_and_followed_again_when_it_is_back(
    sqlite_site: Site, tmp_path: Path
) -> None:
    said: list[str] = []
    pauses = 0

    def pause(seconds: float) -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 1:
            follower._reader.close()
            (tmp_path / "store.db").rename(tmp_path / "away.db")
        if pauses == 3:
            (tmp_path / "away.db").rename(tmp_path / "store.db")
            sqlite_site.commit(kept(an_event("BACK"), 1))

    with following(sqlite_site) as follower:
        endless = follow(follower, clock=SystemClock(), pause=pause, trouble=said.append)
        assert [found["text"] for found in islice(endless, 1)] == ["BACK"]
    assert len(said) == 1
    assert "there is no such file" in said[0]


def test_a_question_that_is_interrupted_half_way_repeats_nothing_that_was_whole(site: Site) -> None:
    with following(site) as follower:
        site.commit(kept(an_event("AB1", 1), 1), kept(an_event("AB3", 3), 3))
        first = next(iter(follower.news()))
        assert first["text"] == "AB1"
        assert news(follower) == ["AB1", "AB3"]
        assert news(follower) == []


@settings(max_examples=40)
@given(SEQS, SEQS)
def test_what_is_gained_is_exactly_what_was_not_covered_before(before: set[int], more: set[int]) -> None:
    old, new = merge((n, n) for n in before), merge((n, n) for n in before | more)
    seqs = [seq for first, last in gained(old, new) for seq in range(first, last + 1)]
    assert sorted(seqs) == sorted(more - before)


def test_a_store_restored_from_a_backup_tells_again_what_it_gets_again() -> None:
    assert gained(((1, 9),), ((1, 4),)) == ()
    assert gained(((1, 4),), ((1, 9),)) == ((5, 9),)


@pytest.mark.parametrize("ranges", [(), ((1, 3),)])
def test_nothing_is_gained_where_nothing_changed(ranges: tuple[tuple[int, int], ...]) -> None:
    assert gained(ranges, ranges) == ()
