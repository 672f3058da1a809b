"""What the store lacks: from where to where, since when, and whether it will come."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.fleet.questions.gaps import Epoch, Gap, Report, Told, gone, holes
from platefleet.fleet.questions.gaps_show import Asked, reports
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.delivery.coverage import merge
from platefleet.protocol.messages import EpochEnd, EpochOpening
from tests.question_builders import NOON_S, Site, a_stamp, an_event, kept
from tests.record_builders import an_epoch

NOW_NS = (NOON_S + 3600) * SECOND_NS


def opening(*previous: tuple[int, int], volatile: bool = False) -> EpochOpening:
    ends = tuple(EpochEnd(epoch=an_epoch(epoch), last=last) for epoch, last in previous)
    return EpochOpening(opened=a_stamp(), volatile=volatile, previous=ends)


def ask(site: Site, asked: Asked | None = None) -> list[Report]:
    with site.reader() as reader:
        return list(reports(reader, asked or Asked(), NOW_NS))


def brief(report: Report) -> list[tuple[str, int, int, int]]:
    return [(gap.state, gap.first, gap.last, gap.count) for gap in report.gaps]


def since_s(gap: Gap) -> float | None:
    return None if gap.since_ns is None else gap.since_ns / SECOND_NS - NOON_S


def test_a_device_of_which_everything_is_there_lacks_nothing(site: Site) -> None:
    site.commit(kept(opening(), 1, type="epoch"), kept(an_event("AB1"), 2))
    (report,) = ask(site)
    assert report == Report("north-1", epochs=1, covered=2)


def test_a_hole_is_expected_since_the_record_after_it_came(site: Site) -> None:
    site.commit(kept(opening(), 1, type="epoch", at_s=0))
    site.commit(kept(an_event("AB5"), 5, at_s=50))
    site.commit(kept(an_event("AB7", 2), 7, at_s=70))
    (report,) = ask(site)
    assert brief(report) == [("expected", 2, 4, 3), ("expected", 6, 6, 1)]
    assert [since_s(gap) for gap in report.gaps] == [50, 70]
    site.commit(*(kept(an_event(f"AB{n}", 10 + n), n) for n in (2, 3, 4, 6)))
    assert ask(site)[0].gaps == ()


def test_the_end_of_an_epoch_is_known_by_the_epoch_after_it_even_if_nothing_of_it_came(site: Site) -> None:
    site.commit(kept(an_event("AB1"), 1))
    site.commit(kept(opening((1, 3), (9, 2)), 1, epoch=2, type="epoch", at_s=20))
    (report,) = ask(site)
    assert [(gap.epoch[-1], gap.first, gap.last, since_s(gap)) for gap in report.gaps] == [
        ("1", 2, 3, 20),
        ("9", 1, 2, 20),
    ]


def test_what_was_in_memory_of_a_program_that_began_anew_is_doubtful(site: Site) -> None:
    site.commit(kept(opening(volatile=True), 1, type="epoch"), kept(an_event("AB3"), 3))
    (report,) = ask(site)
    assert (brief(report), report.volatile_epochs) == ([("expected", 2, 2, 1)], 1)
    site.commit(kept(opening((1, 4)), 1, epoch=2, type="epoch"))
    assert brief(ask(site)[0]) == [("doubtful", 2, 2, 1), ("doubtful", 4, 4, 1)]


@pytest.mark.parametrize(
    ("reason", "why"),
    [("quota", "no more room"), ("unsendable", "closed the link"), ("volatile", "in memory"), ("broken", "disk")],
)
def test_what_is_gone_says_why_and_since_when(site: Site, reason: str, why: str) -> None:
    site.commit(kept(an_event("AB1"), 1))
    site.gone(2, 9, reason, at_s=30)
    (report,) = ask(site)
    assert brief(report) == [("gone", 2, 9, 8)]
    assert since_s(report.gaps[0]) == 30
    assert why in report.gaps[0].why


def test_a_record_that_came_although_it_was_told_as_gone_is_not_missing(site: Site) -> None:
    site.gone(1, 2)
    site.commit(kept(an_event("AB1"), 1))
    assert brief(ask(site)[0]) == [("gone", 1, 2, 1)]
    site.commit(kept(an_event("AB2", 2), 2))
    assert ask(site)[0].gaps == ()


def test_a_clash_is_told_with_its_names(site: Site) -> None:
    site.commit(kept(an_event("AB1"), 1), kept(an_event("AB2", 2), 2))
    site.commit(kept(an_event("XY1"), 1, at_s=5), kept(an_event("XY2", 2), 2, at_s=6))
    (report,) = ask(site)
    assert brief(report) == [("clash", 1, 2, 2)]
    assert since_s(report.gaps[0]) == 6


def test_devices_are_told_apart_and_one_can_be_asked_for(site: Site) -> None:
    site.commit(kept(an_event("AB1"), 1), kept(an_event("AB2"), 2, device="south-1"))
    assert [(report.device, brief(report)) for report in ask(site)] == [
        ("north-1", []),
        ("south-1", [("expected", 1, 1, 1)]),
    ]
    assert [report.device for report in ask(site, Asked(device="north-1"))] == ["north-1"]
    assert ask(site, Asked(device="nowhere")) == []


def test_what_is_new_can_wait_and_what_is_old_news_can_be_left_out(site: Site) -> None:
    site.commit(kept(an_event("AB2"), 2, at_s=3000))
    site.gone(1, 1, epoch=2, at_s=0)
    site.gone(1, 1, epoch=3, at_s=3000)
    assert len(ask(site)[0].gaps) == 3
    assert [gap.epoch[-1] for gap in ask(site, Asked(older_ns=1800 * SECOND_NS))[0].gaps] == ["2"]
    late = Asked(since_ns=(NOON_S + 60) * SECOND_NS)
    assert sorted(gap.epoch[-1] for gap in ask(site, late)[0].gaps) == ["1", "3"]
    assert [gap.state for gap in ask(site, Asked(since_ns=NOW_NS))[0].gaps] == ["expected"]  # missing still


def test_more_ranges_than_are_listed_are_counted(site: Site) -> None:
    site.commit(*(kept(an_event(f"AB{n}", n), n) for n in range(2, 22, 2)))
    (report,) = ask(site, Asked(most=3))
    assert (len(report.gaps), report.left_out) == (3, 7)


@settings(max_examples=40)
@given(st.sets(st.integers(1, 30)), st.integers(0, 40))
def test_holes_and_what_is_covered_are_all_there_is(seqs: set[int], named: int) -> None:
    epoch = Epoch("e", merge((n, n) for n in seqs), named_last=named)
    lacking = [seq for gap in holes(epoch) for seq in range(gap.first, gap.last + 1)]
    assert sorted([*lacking, *seqs]) == list(range(1, max(named, *seqs, 0) + 1))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5)), max_size=8))
def test_a_record_told_as_gone_is_in_some_range_that_is_listed(told: list[tuple[int, int]]) -> None:
    ranges = [Told("e", first, first + more, "quota", first) for first, more in told]
    listed = {seq for gap in gone(ranges) for seq in range(gap.first, gap.last + 1)}
    assert listed == {seq for each in ranges for seq in range(each.first, each.last + 1)}
    assert list(gone([replace(each, present=99) for each in ranges])) == []
