"""One pass's life: every step with its time, in order, with who says so."""

from __future__ import annotations

import pytest

from platefleet.fleet.questions import audit_sql
from platefleet.fleet.questions.audit import Step, life, verdict
from platefleet.fleet.questions.plates import meant
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.messages import Decision, Stamp
from tests.question_builders import NOON_S, Site, a_stamp, an_event, kept, pass_id
from tests.record_builders import a_decision


def decision(phase: str, verdict: str, at_s: float, number: int = 1, **more: object) -> Decision:
    update = {"pass_id": pass_id(number), "decided": a_stamp(at_s, boot="gate-boot"), **more}
    return a_decision(verdict, phase).model_copy(update=update)


def steps(site: Site, number: int = 1, device: str = "north-1") -> tuple[Step, ...]:
    with site.reader() as reader, reader.snapshot() as connection:
        found = list(audit_sql.records(connection, pass_id(number), device))
        boots = audit_sql.boots_of(connection, found, known=reader.corrects)
        return life(found, "the store", boots)


def brief(found: tuple[Step, ...]) -> list[tuple[str, int, str, float | None]]:
    return [(s.what, s.revision, s.who, None if s.after_ns is None else s.after_ns / SECOND_NS) for s in found]


def read_pass(site: Site) -> None:
    """Captured at noon, read in 0.1 s, appended at 0.2 s, decided at 0.5 s, opened at 0.75 s, all of it told."""
    ms = {"wait": 40.0, "total": 60.0}
    site.commit(kept(an_event("AB1", 1, at_s=0, told=a_stamp(0.2), ms=ms), 1, at_s=1))
    site.commit(
        kept(decision("intent", "opened", 0.5), 1, device="gate-1", type="decision", at_s=2),
        kept(decision("result", "opened", 0.75, took_ms=250), 2, device="gate-1", type="decision", at_s=3),
    )


def test_a_pass_is_captured_read_appended_decided_opened_and_committed_with_the_time_between(site: Site) -> None:
    read_pass(site)
    found = steps(site)
    assert brief(found) == [
        ("captured", 1, "north-1", None),
        ("read", 1, "north-1", 0.1),
        ("appended", 1, "north-1", 0.1),
        ("decided", 1, "gate-1", pytest.approx(0.3)),
        ("opened", 1, "gate-1", 0.25),
        ("committed", 1, "the store", 0.25),
        ("committed", 1, "the store", 1.0),
        ("committed", 1, "the store", 1.0),
    ]
    assert all(step.at.sure for step in found)
    assert "opened: on the list, the output took 250 ms" in found[4].detail
    assert verdict(found) == "opened by gate-1, 0.75 s after it was captured"


def test_an_event_that_does_not_say_when_it_was_appended_has_no_such_step(site: Site) -> None:
    site.commit(kept(an_event("AB1", 1), 1, at_s=5))
    assert [step.what for step in steps(site)] == ["captured", "committed"]
    assert verdict(steps(site)) == "no gate has told of it"


def test_a_failed_output_and_a_refusal_are_what_became_of_it(site: Site) -> None:
    site.commit(kept(an_event("AB1", 1), 1), kept(an_event("AB2", 2), 2))
    site.commit(
        kept(decision("result", "output failed", 2), 1, device="gate-1", type="decision"),
        kept(decision("refusal", "late", 2, number=2, age_ms=9000), 2, device="gate-1", type="decision"),
    )
    assert verdict(steps(site)) == "not opened: the output of gate-1 failed"
    assert verdict(steps(site, 2)) == "not opened: gate-1 says late: on the list, seen 9000 ms before"


def test_an_intent_without_a_result_is_said_so(site: Site) -> None:
    site.commit(kept(an_event("AB1", 1), 1))
    site.commit(kept(decision("intent", "opened", 2), 1, device="gate-1", type="decision"))
    assert verdict(steps(site)) == "gate-1 decided and has told no result"


def test_two_openings_of_one_pass_are_counted(site: Site) -> None:
    site.commit(kept(an_event("AB1", 1, at_s=0), 1))
    for n in (1, 2):
        opened = decision("result", "opened", n, gate=f"gate-{n}")
        site.commit(kept(opened, 1, device=f"gate-{n}", type="decision"))
    assert verdict(steps(site)) == "opened by gate-1, 1.00 s after it was captured; 2 openings"


def test_steps_by_a_clock_that_was_not_set_come_first_and_know_the_time_between_them(site: Site) -> None:
    early, later = a_stamp(10, "unsynced", "b0"), a_stamp(10.5, "unsynced", "b0")
    site.commit(kept(an_event("AB1", 1, stamp=early, told=later), 1, at_s=60))
    assert brief(steps(site)) == [
        ("captured", 1, "north-1", None),
        ("appended", 1, "north-1", 0.5),
        ("committed", 1, "the store", None),
    ]
    site.learn("north-1", "b0", (NOON_S + 45) * SECOND_NS)
    found = steps(site)
    assert brief(found) == [
        ("captured", 1, "north-1", None),
        ("appended", 1, "north-1", 0.5),
        ("committed", 1, "the store", 4.5),
    ]
    assert found[0].at.utc_ns == (NOON_S + 55) * SECOND_NS


def test_two_boots_of_one_device_are_not_compared_by_their_own_clocks(site: Site) -> None:
    one, other = a_stamp(10, "unsynced", "b0"), a_stamp(20, "unsynced", "b1")
    site.commit(kept(an_event("AB1", 1, stamp=one), 1), kept(an_event("AB1", 1, stamp=other, revision=2), 1, epoch=2))
    assert [step.after_ns for step in steps(site) if step.what == "captured"] == [None, None]


def test_every_revision_and_no_other_devices_pass_is_audited(site: Site) -> None:
    site.commit(kept(an_event("AB1", 1), 1), kept(an_event("AB12", 1, at_s=9, revision=2, final=True), 2))
    site.commit(kept(an_event("XY1", 1), 1, device="south-1"), kept(an_event("ZZ", 2), 3))
    assert {(step.who, step.revision) for step in steps(site) if step.what == "captured"} == {
        ("north-1", 1),
        ("north-1", 2),
    }
    assert [step.who for step in steps(site, 1, "south-1") if step.what == "captured"] == ["south-1"]


def test_a_pass_of_which_only_the_gate_told_is_audited_all_the_same(site: Site) -> None:
    site.commit(kept(decision("refusal", "late", 2), 1, device="gate-1", type="decision", at_s=5))
    assert [step.what for step in steps(site, device="")] == ["refused", "committed"]


def test_a_plates_passes_are_those_of_which_any_revision_read_it_newest_first(site: Site) -> None:
    site.commit(
        kept(an_event("AB1", 1), 1), kept(an_event("A81", 1, at_s=1.5, revision=2), 2), kept(an_event("A81", 2), 3),
        kept(an_event("AB1", 3), 4), kept(an_event("AB1", 3, at_s=3.5, revision=2), 5), kept(an_event("XY", 4), 6),
    )  # fmt: skip
    with site.reader() as reader:
        exact = audit_sql.passes(reader, meant("AB1"), 10)
        alike = audit_sql.passes(reader, meant("AB1", like=True), 2)
    assert [(found["pass"], found["revision"]) for found in exact] == [(pass_id(3), 2), (pass_id(1), 1)]
    assert [found["pass"] for found in alike] == [pass_id(3), pass_id(2)]


def test_no_time_is_told_between_clocks_of_which_one_is_wrong() -> None:
    wrong = Stamp(utc_ns=5, mono_ns=5, boot="b", clock="unsynced")
    event = an_event("AB1", 1, stamp=wrong)
    found = life([audit_sql.Kept("north-1", event, NOON_S * SECOND_NS)], "the store", {})
    assert [step.after_ns for step in found] == [None, None]


def test_a_record_of_a_later_release_is_a_step_and_no_failure() -> None:
    (step,) = life([audit_sql.Kept("north-1", None, 7)], "the store", {})
    assert (step.what, step.detail) == ("committed", "a record of north-1 that this release cannot read")
