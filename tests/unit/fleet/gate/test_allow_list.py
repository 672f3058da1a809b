"""What an allow-list's file means, and what is told when it cannot be used."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.fleet.gate.allow_list import LIMIT_BYTES, AllowList, Entry, parse, plate_of, weekdays_of
from platefleet.fleet.gate.verdicts import Judgement
from platefleet.protocol.errors import GateError
from tests.gate_builders import DAY, ON_THE_LIST, a_list

FULL = b"plate,valid_from,valid_until,weekdays,name\n"


def judged(listing: AllowList, text: str = ON_THE_LIST, day: dt.date | None = DAY) -> Judgement:
    return listing.judge(text, (), day)


def broken(data: bytes) -> str:
    with pytest.raises(GateError) as caught:
        parse(data, "allow.csv")
    return str(caught.value)


def test_every_column_is_read() -> None:
    listing = parse(FULL + "b-ab 1234,2026-01-01,2026-12-31,mon-fri,Müller\n".encode(), "allow.csv")
    days = frozenset(range(5))
    assert listing.entries == (Entry("BAB1234", dt.date(2026, 1, 1), dt.date(2026, 12, 31), days, "Müller", 2),)


@pytest.mark.parametrize(
    "data",
    [
        b"plate,name\nBAB1234,M\n",
        b"name;plate\r\nM;BAB1234\r\n",
        b"\xef\xbb\xbfplate,name\nBAB1234,M",
        b"# residents\n\nPLATE, Name\n# ground floor\nBAB1234,M\n,,\n",
        b'plate,name\n"BAB1234","M"\n',
        b"plate,name\nBAB1234,M,,\n",
    ],
    ids=["comma", "semicolon and CRLF", "byte-order mark, no last line end", "comments", "quotes", "trailing commas"],
)
def test_what_spreadsheets_and_people_write_is_understood(data: bytes) -> None:
    assert [(e.plate, e.name) for e in parse(data, "allow.csv").entries] == [("BAB1234", "M")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("B!123", "has !, which no reader of this gate tells"),
        ("KÖ 123", "has Ö, which no reader of this gate tells"),
        ("ABCDEFGHIJ1234", "longer than 12"),
        (" - ,2026-01-01", "there is no plate"),
        ("AB1,31.12.2026", "31.12.2026 is no day; write it as 2026-12-31"),
        ("AB1,2026-02-30", "2026-02-30 is no day"),
        ("AB1,2026-12-31,2026-01-01", "valid_from 2026-12-31 lies after valid_until 2026-01-01"),
        ("AB1,,,weekend", "weekend is no weekday"),
        ("AB1,,,,x,y", "6 cells where the header has 5"),
        ('AB1,,,,"x', "a quote does not end on its line"),
        ("AB\x1b[2J1", "\\x1b"),
    ],
)
def test_a_broken_line_is_named_with_its_reason(line: str, said: str) -> None:
    told = broken(FULL + b"GOOD1\n" + line.encode() + b"\n")
    assert "allow.csv: line 3: " in told
    assert said in told
    assert told.isprintable()


def test_every_broken_line_is_named_up_to_five() -> None:
    told = broken(FULL + b"!\n" * 7)
    assert "line 2" in told
    assert "line 6" in told
    assert "and 2 more lines" in told


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no header"),
        (b"BAB1234,Muller\n", "is no header"),
        (b"plate,valid_untill\nAB1,2026-01-01\n", "is no header"),
        (b"plate,plate\nAB1,AB2\n", "is no header"),
        (b"plate\nM\xfcller1\n", "line 2: not UTF-8"),
        (b"plate\n" + b"A" * LIMIT_BYTES, "larger than"),
    ],
)
def test_a_file_without_its_header_in_another_encoding_or_too_large_is_refused(data: bytes, said: str) -> None:
    assert said in broken(data)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_one_printable_sentence(data: bytes) -> None:
    try:
        listing = parse(b"plate,name\n" + data, "allow.csv")
    except GateError as error:
        assert str(error).isprintable()  # noqa: PT017  # whichever of both comes
    else:
        assert all(plate_of(e.plate) == e.plate for e in listing.entries)


def test_both_dates_are_included() -> None:
    listing = a_list(f"{ON_THE_LIST},2026-11-23,2026-11-24")
    verdicts = [judged(listing, day=DAY + dt.timedelta(days=days)).verdict for days in (-1, 0, 1, 2)]
    assert verdicts == ["not valid now", "opened", "opened", "not valid now"]


def test_weekdays_may_wrap_around_the_week() -> None:
    assert weekdays_of("sat-mon, wed") == {5, 6, 0, 2}
    assert judged(a_list(f'{ON_THE_LIST},,,"sat-mon"')).verdict == "opened"
    assert judged(a_list(f"{ON_THE_LIST},,,tue")).verdict == "not valid now"


def test_a_plate_may_have_several_lines_for_several_times() -> None:
    listing = a_list(f"{ON_THE_LIST},2026-01-01,2026-01-31", f"{ON_THE_LIST},2026-11-01,2026-11-30")
    assert judged(listing).verdict == "opened"
    assert judged(listing, day=dt.date(2026, 6, 1)).reason.count("from") == 2


def test_without_a_day_what_has_dates_is_refused_because_of_the_clock() -> None:
    assert judged(a_list(f"{ON_THE_LIST},2026-01-01"), day=None).verdict == "clock"
    assert judged(a_list(f"{ON_THE_LIST},2026-01-01", ON_THE_LIST), day=None).verdict == "opened"


def test_no_line_is_no_entry() -> None:
    assert judged(parse(FULL, "allow.csv")).verdict == "not on the list"


def test_100_000_lines_are_read_in_a_few_seconds() -> None:
    data = FULL + b"".join(b"AB%06d,2026-01-01,2026-12-31,mon-fri,N\n" % n for n in range(100_000))
    began = time.process_time()
    listing = parse(data, "allow.csv").prepare()
    assert len(listing.entries) == 100_000
    assert time.process_time() - began < 15
