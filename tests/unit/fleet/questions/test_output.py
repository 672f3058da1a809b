"""What people and programs get to see: in three forms, with pictures, and nothing in it steers or runs."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.fleet.gate.escape import is_formula
from platefleet.fleet.questions import audit_show, events, gaps_show
from platefleet.fleet.questions.errors import Unanswerable
from platefleet.fleet.questions.events_sql import Wanted
from platefleet.fleet.questions.sheets import Form, as_csv, as_json
from platefleet.protocol.clock import SECOND_NS, SystemClock
from platefleet.protocol.messages import Crops
from tests.question_builders import NOON_S, Site, a_stamp, an_event, kept, pass_id
from tests.record_builders import a_decision

HOSTILE = ("=1+1", "\x1b[2J", "[red]X", "\u202eAB", '",\n', "+49", "\x7f\x9b", "@SUM")
FORMS: tuple[Form, ...] = ("table", "json", "csv")


def shown(
    site: Site, form: Form = "table", *, wanted: Wanted | None = None, limit: int = 0, crops: Path | None = None
) -> str:
    return told(site, events.Asked(wanted or Wanted(), form, limit, crops=crops))[0]


def told(site: Site, asked: events.Asked) -> tuple[str, list[str]]:
    """What is written, and what is remarked beside it."""
    out, remarks = io.StringIO(), list[str]()
    with site.reader() as reader:
        events.run(asked, reader, out, remarks.append, clock=SystemClock(), pause=lambda _: None)
    return out.getvalue(), remarks


def crops(
    number: int, plate: bytes | None = b"\xff\xd8plate", vehicle: bytes | None = None, revision: int = 1
) -> Crops:
    return Crops(pass_id=pass_id(number), revision=revision, captured=a_stamp(), plate=plate, vehicle=vehicle)


def test_json_and_csv_say_the_same_of_an_event_and_json_keeps_types(site: Site) -> None:
    site.commit(kept(an_event("AB1", 1, at_s=0.5, final=True, vehicle="car"), 1, at_s=2))
    (line,) = shown(site, "json").splitlines()
    (row,) = csv.DictReader(io.StringIO(shown(site, "csv")))
    found = json.loads(line)
    assert found | {"epoch": "", "pass": ""} == {
        "captured": "2026-11-18T12:00:00.500000Z", "captured_sure": True,
        "captured_utc_ns": NOON_S * SECOND_NS + 500_000_000,
        "first_seen": "2026-11-18T12:00:00.500000Z", "received": "2026-11-18T12:00:02.000000Z", "device": "north-1",
        "lane": "in", "plate": "AB1", "unread": None, "mean": 0.9, "minimum": 0.8, "direction": "approaching",
        "vehicle": "car", "pass": "", "revision": 1, "final": True, "interrupted": False, "frames": 5,
        "epoch": "", "seq": 1,
    }  # fmt: skip
    assert found["pass"] == pass_id(1)
    assert row == {
        name: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in found.items()
    }


def test_a_table_has_one_head_however_long_it_is(sqlite_site: Site) -> None:
    sqlite_site.commit(*(kept(an_event(f"AB{n}", n), n) for n in range(1, 251)))
    lines = shown(sqlite_site).splitlines()
    assert sum(line.startswith("captured ") for line in lines) == 1
    assert len(lines) == 251
    assert len({len(line) for line in lines}) == 1


def test_a_time_that_nobody_knows_is_shown_as_before_the_record_came(sqlite_site: Site) -> None:
    sqlite_site.commit(kept(an_event("AB1", 1, stamp=a_stamp(3, "unsynced")), 1, at_s=60))
    assert "≤ 2026-11-1" in shown(sqlite_site)
    assert json.loads(shown(sqlite_site, "json"))["captured_sure"] is False
    _, remarks = told(sqlite_site, events.Asked(Wanted(since_ns=5), "csv"))
    assert any("nobody knows the time" in remark for remark in remarks)


@pytest.mark.parametrize("form", FORMS)
def test_what_a_camera_read_steers_no_terminal_in_any_form(sqlite_site: Site, form: Form) -> None:
    sqlite_site.commit(*(kept(an_event(text, n, vehicle=text), n) for n, text in enumerate(HOSTILE, 1)))
    text = shown(sqlite_site, form)
    assert all(c.isprintable() or c == "\n" for c in text)
    assert len(text.splitlines()) == len(HOSTILE) + (form != "json")
    if form == "csv":
        assert not any(is_formula(cell) for row in csv.reader(io.StringIO(text)) for cell in row)
    if form == "table":
        assert "[red]X" in text


@settings(max_examples=40)
@given(st.lists(st.text(max_size=20), max_size=5))
def test_a_line_of_csv_is_one_line_without_formulas_and_a_line_of_json_keeps_what_it_was_given(
    texts: list[str],
) -> None:
    line = as_csv(texts)
    assert line.isprintable() or line[:-1].isprintable()
    assert not any(is_formula(cell) for cell in next(csv.reader([line]), []))
    given_: dict[str, Any] = {str(n): text for n, text in enumerate(texts)}
    assert json.loads(as_json(given_)) == given_
    assert as_json(given_).isascii()
    assert as_json(given_).isprintable()


def test_the_limit_is_kept_and_said(sqlite_site: Site) -> None:
    sqlite_site.commit(*(kept(an_event(f"AB{n}", n), n) for n in range(1, 6)))
    text, remarks = told(sqlite_site, events.Asked(Wanted(), "json", 2))
    assert [json.loads(line)["plate"] for line in text.splitlines()] == ["AB5", "AB4"]
    assert remarks == ["the newest 2 are shown; --limit 0 shows all, --until the older ones"]
    assert told(sqlite_site, events.Asked(Wanted(device="nowhere"), "json", 2)) == ("", ["no event fits"])


@pytest.mark.parametrize(
    "asked", [events.Asked(Wanted(until_ns=5), follow=True), events.Asked(Wanted(), limit=0, follow=True)]
)
def test_following_without_an_end_or_with_one_is_refused(sqlite_site: Site, asked: events.Asked) -> None:
    with pytest.raises(Unanswerable, match=r"^follow: "):
        told(sqlite_site, asked)


def test_pictures_are_the_passs_newest_or_of_the_very_revision(site: Site, tmp_path: Path) -> None:
    site.commit(
        kept(an_event("AB1", 1, at_s=0), 1), kept(crops(1, b"\xff\xd8one", b"\xff\xd8car"), 2, type="crops"),
        kept(an_event("AB1", 1, at_s=1, revision=2), 3), kept(crops(1, b"\xff\xd8two", revision=2), 4, type="crops"),
        kept(an_event("AB1", 1, at_s=2, revision=3, final=True), 5),
    )  # fmt: skip
    newest = json.loads(shown(site, "json", crops=tmp_path / "deep" / "newest"))
    assert Path(newest["plate_picture"]).read_bytes() == b"\xff\xd8two"
    assert newest["vehicle_picture"] is None
    assert Path(newest["plate_picture"]).name == f"20261118T120002Z_north-1_in_AB1_{pass_id(1)}_r2_plate.jpg"
    shown(site, "json", wanted=Wanted(all_revisions=True), crops=tmp_path / "all")
    assert sorted(path.read_bytes() for path in (tmp_path / "all").iterdir()) == [
        b"\xff\xd8car",
        b"\xff\xd8one",
        b"\xff\xd8two",
    ]
    assert "_picture" not in shown(site, "csv")


def test_a_hostile_plate_names_no_other_folder_and_what_is_no_jpeg_is_left_out(
    sqlite_site: Site, tmp_path: Path
) -> None:
    sqlite_site.commit(
        kept(an_event("../../\x00\n/Ä", 1), 1), kept(crops(1), 2, type="crops"),
        kept(an_event("AB2", 2), 3), kept(crops(2, b"MZ\x90", b""), 4, type="crops"),
    )  # fmt: skip
    _, remarks = told(sqlite_site, events.Asked(Wanted(), "json", crops=tmp_path / "pictures"))
    (path,) = (tmp_path / "pictures").iterdir()
    assert path.read_bytes() == b"\xff\xd8plate"
    assert remarks == ["1 pictures were left out: they are no JPEG"]


def test_a_picture_replaces_a_link_and_never_writes_through_it(sqlite_site: Site, tmp_path: Path) -> None:
    sqlite_site.commit(kept(an_event("AB1", 1), 1), kept(crops(1), 2, type="crops"))
    folder, elsewhere = tmp_path / "pictures", tmp_path / "precious"
    path = Path(json.loads(shown(sqlite_site, "json", crops=folder))["plate_picture"])
    elsewhere.write_bytes(b"precious")
    path.unlink()
    path.symlink_to(elsewhere)
    shown(sqlite_site, "json", crops=folder)
    assert (elsewhere.read_bytes(), path.read_bytes(), path.is_symlink()) == (b"precious", b"\xff\xd8plate", False)
    assert len(list(folder.iterdir())) == 1


def test_a_folder_that_cannot_be_made_is_one_sentence(sqlite_site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unanswerable, match=r"^crops: .* name another folder\.$"):
        shown(sqlite_site, crops=tmp_path / "file" / "pictures")


@pytest.mark.parametrize("form", FORMS)
def test_gaps_are_told_in_each_form_and_whether_there_is_one(sqlite_site: Site, form: Form) -> None:
    def ask() -> tuple[bool, str]:
        out = io.StringIO()
        with sqlite_site.reader() as reader:
            found = gaps_show.run(
                gaps_show.Asked(form=form), reader, out, lambda _: None, now_ns=(NOON_S + 90) * SECOND_NS
            )
        return found, out.getvalue()

    sqlite_site.commit(kept(an_event("AB1"), 1))
    found, text = ask()
    assert not found
    assert {"table": "nothing is missing", "json": '"missing": false', "csv": "north-1,complete,"}[form] in text
    sqlite_site.commit(kept(an_event("AB3", 2), 3))
    found, text = ask()
    assert found
    assert {
        "table": "north-1: 1 expected; 2 records in 1 epoch\n",
        "json": '"first": 2, "last": 2, "count": 1',
        "csv": ",2,2,1,2026-11-18T12:00:00",
    }[form] in text


@pytest.mark.parametrize("form", FORMS)
def test_an_audit_escapes_what_a_gate_and_a_camera_say(sqlite_site: Site, form: Form) -> None:
    decision = a_decision("late", "refusal").model_copy(update={"pass_id": pass_id(1), "reason": "\x1b[2J\n=1"})
    sqlite_site.commit(kept(an_event("\x1b[2J", 1), 1))
    sqlite_site.commit(kept(decision, 1, device="gate-1", type="decision"))
    out = io.StringIO()
    with sqlite_site.reader() as reader:
        audit_show.run(audit_show.Asked(pass_id(1), form=form), reader, out, lambda _: None)
    assert all(c.isprintable() or c == "\n" for c in out.getvalue())
    assert "refused" in out.getvalue()


def test_an_audit_marks_times_of_a_clock_that_may_be_wrong_and_says_once_what_the_mark_means(
    sqlite_site: Site,
) -> None:
    unset = a_stamp(10, "unsynced", "b0")
    for revision in (1, 2):
        event = an_event("AB1", 1, stamp=unset, told=unset, revision=revision)
        sqlite_site.commit(kept(event, revision))
    out, said = io.StringIO(), list[str]()
    with sqlite_site.reader() as reader:
        audit_show.run(audit_show.Asked(pass_id(1)), reader, out, said.append)
        audit_show.run(audit_show.Asked(pass_id(1), form="json"), reader, io.StringIO(), said.append)
    marked = re.findall(r"^\S+ \S+\.000 [+-]\d{4} \?", out.getvalue(), re.MULTILINE)
    assert len(marked) == 4  # captured and appended, of each revision
    assert [sentence.partition(";")[0] for sentence in said] == [
        "?: by the clock of north-1, which was not known to be right then"
    ]
    assert "assume_synced" in said[0]


def test_an_audit_of_a_plate_lists_its_passes_and_audits_the_newest_or_all(sqlite_site: Site) -> None:
    sqlite_site.commit(*(kept(an_event("AB1", n), n) for n in (1, 2)))

    def ask(**more: Any) -> tuple[int, str]:
        out = io.StringIO()
        with sqlite_site.reader() as reader:
            count = audit_show.run(audit_show.Asked("ab 1", **more), reader, out, lambda _: None)
        return count, out.getvalue()

    count, text = ask()
    assert count == 1
    assert f"\npass {pass_id(2)}, told by north-1: no gate has told of it\n" in text
    assert pass_id(1) in text
    assert ask(every=True)[0] == 2
    assert {json.loads(line)["pass"] for line in ask(form="json")[1].splitlines()} == {pass_id(2)}


@pytest.mark.parametrize(
    ("what", "sentence"), [("NONE1", "no pass of NONE1; ask with --like"), (pass_id(9), "has no pass")]
)
def test_what_the_store_does_not_have_is_one_sentence(sqlite_site: Site, what: str, sentence: str) -> None:
    with sqlite_site.reader() as reader, pytest.raises(Unanswerable, match=sentence):
        audit_show.run(audit_show.Asked(what), reader, io.StringIO(), lambda _: None)
