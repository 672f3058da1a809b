"""Which passes fit a question, in which order, and by which index."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, event

from platefleet.fleet.gate.match import shape
from platefleet.fleet.questions import audit_sql, gaps_show
from platefleet.fleet.questions.errors import Unanswerable
from platefleet.fleet.questions.events_sql import PAGE, Wanted, newest_first, some_without_time
from platefleet.fleet.questions.plates import alike, meant
from platefleet.fleet.questions.reading import Reader
from platefleet.protocol.clock import SECOND_NS
from tests.question_builders import NOON_S, Site, a_stamp, an_event, kept, pass_id


def texts(site: Site, wanted: Wanted | None = None) -> list[str]:
    with site.reader() as reader:
        return [found["text"] for found in newest_first(reader, wanted or Wanted())]


def ask(site: Site, **more: Any) -> list[str]:
    return texts(site, Wanted(**more))


def noon(seconds: float) -> int:
    return round((NOON_S + seconds) * SECOND_NS)


def test_events_come_newest_first_by_when_their_picture_was_taken_and_not_by_when_they_came(site: Site) -> None:
    site.commit(kept(an_event("OLD1", 2, at_s=-60), 1), kept(an_event("NEW1", 1), 2))
    site.commit(kept(an_event("MID1", 3, at_s=-30), 1, device="south-1"))
    assert texts(site) == ["NEW1", "MID1", "OLD1"]


def test_a_pass_is_one_row_its_newest_revision_unless_all_are_asked_for(site: Site) -> None:
    site.commit(kept(an_event("AB1", 1, at_s=1), 1), kept(an_event("AB12", 1, at_s=2, revision=2, final=True), 2))
    site.commit(kept(an_event("XY9", 2, at_s=3), 3))
    assert texts(site) == ["XY9", "AB12"]
    assert ask(site, all_revisions=True) == ["XY9", "AB12", "AB1"]
    assert ask(site, plates=meant("AB1")) == []
    assert ask(site, plates=meant("AB1"), all_revisions=True) == ["AB1"]


def test_the_pass_of_another_device_under_the_same_id_is_another_pass(site: Site) -> None:
    site.commit(kept(an_event("AB1", 1), 1), kept(an_event("AB2", 1, revision=2), 1, device="south-1"))
    assert sorted(texts(site)) == ["AB1", "AB2"]


def test_one_revision_in_two_epochs_is_one_row(site: Site) -> None:
    site.commit(kept(an_event("AB1", 1), 1, epoch=1), kept(an_event("AB1", 1), 1, epoch=2))
    assert texts(site) == ["AB1"]


def test_a_plate_is_found_exactly_by_its_look_alikes_and_by_how_it_begins(site: Site) -> None:
    plates = ["B8OO1", "88OO1", "B80DI", "B8OO", "C8OO1", "B8AO1"]
    site.commit(*(kept(an_event(plate, n), n) for n, plate in enumerate(plates, 1)))
    assert ask(site, plates=meant("b8-oo 1")) == ["B8OO1"]
    assert ask(site, plates=meant("b8-oo 1", like=True)) == ["B80DI", "88OO1", "B8OO1"]
    assert ask(site, plates=meant("B8*")) == ["B8AO1", "B8OO", "B80DI", "B8OO1"]


def test_device_lane_and_time_narrow_the_answer_and_go_together(site: Site) -> None:
    site.commit(
        *(
            kept(
                an_event(f"{device[0].upper()}{lane.upper()}{n}", n + 10 * k, at_s=n, lane=lane),
                n + 10 * k,
                device=device,
            )
            for k, (device, lane) in enumerate([("north-1", "in"), ("north-1", "out"), ("south-1", "in")])
            for n in (1, 2, 3)
        )
    )
    assert ask(site, device="north-1") == ["NOUT3", "NIN3", "NOUT2", "NIN2", "NOUT1", "NIN1"]
    assert ask(site, lane="in", since_ns=noon(3)) == ["SIN3", "NIN3"]
    assert ask(site, device="north-1", lane="out", since_ns=noon(2), until_ns=noon(2)) == ["NOUT2"]
    assert ask(site, plates=meant("SIN2"), device="north-1") == []
    assert ask(site, device="nowhere") == []


def test_what_a_device_told_before_its_clock_was_set_is_listed_when_it_really_was(site: Site) -> None:
    site.commit(
        kept(an_event("EARLY", 1, stamp=a_stamp(10, "unsynced", "boot-0")), 1),
        kept(an_event("NEVER", 2, stamp=a_stamp(11, "unsynced", "lost")), 2),
        kept(an_event("SURE5", 3, at_s=5), 3),
    )
    assert texts(site)[0] == "SURE5"
    site.learn("north-1", "boot-0", noon(-4))  # 10 s after its boot was 6 s after noon
    site.learn("south-1", "lost", noon(0))  # another device's
    assert texts(site) == ["EARLY", "SURE5", "NEVER"]
    assert ask(site, since_ns=noon(4), until_ns=noon(5)) == ["SURE5"]
    assert ask(site, since_ns=noon(6), until_ns=noon(6)) == ["EARLY"]
    assert ask(site, device="north-1", lane="in") == ["EARLY", "SURE5", "NEVER"]
    assert ask(site, plates=meant("EARLY"), since_ns=noon(0)) == ["EARLY"]
    with site.reader() as reader:
        assert some_without_time(reader, Wanted(since_ns=1))
        assert not some_without_time(reader, Wanted(since_ns=1, plates=meant("SURE5")))


def test_more_than_a_page_comes_whole_once_and_in_order_however_many_share_a_moment(sqlite_site: Site) -> None:
    count = 2 * PAGE + 7
    sqlite_site.commit(*(kept(an_event(f"P{n}", n, at_s=n // 300), n) for n in range(1, count + 1)))
    with sqlite_site.reader() as reader:
        found = [(row["at_ns"], row["text"]) for row in newest_first(reader, Wanted())]
    assert len({text for _, text in found}) == len(found) == count
    assert [at for at, _ in found] == sorted((at for at, _ in found), reverse=True)


def test_a_look_at_the_first_events_reads_one_page_and_not_the_store(sqlite_site: Site) -> None:
    sqlite_site.commit(*(kept(an_event(f"P{n}", n), n) for n in range(1, 2 * PAGE)))
    with sqlite_site.reader() as reader:
        asked = statements(reader)
        assert len(list(islice(newest_first(reader, Wanted()), 3))) == 3
        assert len(asked) == 2  # a page of those whose clocks were good, one of those that were corrected


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(since_ns=noon(0), until_ns=noon(9)),
        Wanted(device="north-1"),
        Wanted(device="north-1", lane="in", since_ns=noon(0)),
        Wanted(lane="in"),
        Wanted(plates=meant("AB1")),
        Wanted(plates=meant("B8O1", like=True), since_ns=noon(0)),
        Wanted(plates=meant("AB*"), device="north-1"),
        Wanted(all_revisions=True),
    ],
    ids=str,
)
def test_every_statement_of_the_question_walks_an_index(sqlite_site: Site, wanted: Wanted, backwards: bool) -> None:
    order_indexes(sqlite_site, backwards=backwards)
    sqlite_site.commit(*(kept(an_event("AB1", n), n) for n in range(1, 4)))
    sqlite_site.learn("north-1", "boot-0", 5)
    with sqlite_site.reader() as reader:
        asked = statements(reader)
        list(newest_first(reader, wanted))
        some_without_time(reader, wanted)
        plans = [plan(reader, *each) for each in list(asked)]
    assert plans
    for steps in plans:
        assert not any(step.startswith("SCAN") and "USING" not in step for step in steps if "boots" not in step), steps
    if not wanted.plates.texts and not wanted.plates.prefix:
        dated = [steps for steps in plans if not any("plates_unsynced" in step for step in steps)]
        assert not any("TEMP B-TREE FOR ORDER BY" in step for steps in dated for step in steps), dated


def test_what_is_missing_and_what_became_of_a_pass_are_answered_by_indexes_too(sqlite_site: Site) -> None:
    sqlite_site.commit(*(kept(an_event("AB1", n), n) for n in (1, 2, 5)))
    sqlite_site.gone(7, 9)
    with sqlite_site.reader() as reader:
        asked = statements(reader)
        assert list(gaps_show.reports(reader, gaps_show.Asked(), noon(0)))
        with reader.snapshot() as connection:
            assert audit_sql.devices_of(connection, pass_id(1)) == ["north-1"]
            assert list(audit_sql.records(connection, pass_id(1), "north-1"))
        plans = [step for each in list(asked) for step in plan(reader, *each)]
    assert len(plans) > 10
    assert not [step for step in plans if step.startswith("SCAN") and "USING" not in step and "CONSTANT" not in step]


def order_indexes(site: Site, *, backwards: bool) -> None:
    """Make the indexes anew in another order: SQLite's choice between equals must not matter."""
    with create_engine(site.url).begin() as connection:
        made = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        )
        for name, sql in sorted(made.all(), reverse=backwards):
            connection.exec_driver_sql(f'DROP INDEX "{name}"')
            connection.exec_driver_sql(sql)


def statements(reader: Reader) -> list[tuple[str, Any]]:
    """Every statement that the reader executes from now on, with its values."""
    asked: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, values: Any, *more: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            asked.append((statement, values))

    event.listen(reader._engine, "before_cursor_execute", note)
    return asked


def plan(reader: Reader, statement: str, values: Any) -> list[str]:
    with reader.snapshot() as connection:
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]


@settings(max_examples=40)
@given(st.text("AB80OQD1ISZ25G6", min_size=1, max_size=5))
def test_a_plates_look_alikes_are_exactly_the_texts_of_its_shape(text: str) -> None:
    found = alike(text)
    assert text in found
    assert len(set(found)) == len(found)
    assert {shape(each) for each in found} == {shape(text)}
    assert all(set(alike(each)) == set(found) for each in found[:5])


@pytest.mark.parametrize(
    ("written", "like", "sentence"),
    [
        ("", False, "is no plate"),
        ("- -", False, "is no plate"),
        ("A" * 13, False, "1 to 12 characters"),
        ("A*B", False, "at the end only"),
        ("A*", False, "means too many"),
        ("AB*", True, "leave one of them out"),
        ("OOOOOOOO", True, "looks like 65536 others"),
    ],
)
def test_a_plate_that_cannot_be_asked_for_is_one_sentence(written: str, like: bool, sentence: str) -> None:
    with pytest.raises(Unanswerable, match=sentence):
        meant(written, like=like)


def test_nothing_can_be_written_through_a_reader(site: Site) -> None:
    site.commit(kept(an_event("AB1"), 1))
    for statement in ("DELETE FROM plates", "CREATE TABLE t (n INTEGER)"):
        with site.reader() as reader, pytest.raises(Exception, match=r"read-?only"), reader.snapshot() as connection:
            connection.exec_driver_sql(statement)


def test_an_open_question_keeps_no_commit_waiting_and_sees_one_state(sqlite_site: Site) -> None:
    sqlite_site.commit(kept(an_event("AB1"), 1))
    with sqlite_site.reader() as reader, reader.snapshot() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM plates").scalar_one()
        sqlite_site.commit(kept(an_event("AB2", 2), 2))
        assert connection.exec_driver_sql("SELECT count(*) FROM plates").scalar_one() == before == 1
    assert texts(sqlite_site) == ["AB2", "AB1"]
