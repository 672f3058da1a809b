"""What standing rules ask for, and when they keep still."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platefleet.agent.commands.rules import (
    AGAIN_DAYS,
    DAY_NS,
    EARLY_NS,
    RETRIES,
    Deferred,
    Facts,
    Mark,
    RoleFacts,
    Work,
    due,
)
from platefleet.models.artifacts.key import key_of
from platefleet.models.artifacts.passport import Machine, Passport, Recipe, Verdict
from platefleet.protocol.messages import Rule

NOW = 1_795_000_000 * 10**9
OLD = Machine(cpu="arm", gpu="Orin", compute_capability="8.7", tensorrt="8.6.2")
NEW = OLD.model_copy(update={"tensorrt": "10.3.0"})
PC = Machine(cpu="x86")
SOURCE, OTHER = "ab" * 32, "cd" * 32
ALL = tuple(Rule(name=name) for name in ("engines", "retry", "benchmark", "evaluate", "prune"))


def an_artifact(machine: Machine = OLD, judged: str = "accepted", numbers: bool = False, **recipe: Any) -> Passport:
    told = {"role": "plate", "source": SOURCE, "format": "tensorrt", "precision": "fp16", "size": 416, **recipe}
    made = Recipe.model_validate(told)
    verdict = Verdict.model_validate({"judged": judged, "numbers": {"recall": 0.9} if numbers else {}})
    key = key_of(made, machine)
    return Passport(key=key, recipe=made, machine=machine, files={"a": SOURCE}, made_utc_ns=1, verdict=verdict)


def facts(active: Passport | None, *others: Passport, machine: Machine = NEW, **more: object) -> Facts:
    passports = (*(() if active is None else (active,)), *others)
    role = RoleFacts("plate", active, passports, (SOURCE,))
    return replace(Facts(NOW, machine, (role,)), **more)  # type: ignore[arg-type]  # a test's own words


def asked(given_facts: Facts, name: str = "engines", every: int | None = None) -> list[tuple[str, dict[str, object]]]:
    rule = Rule.model_validate({"name": name, "every_days": every})
    return [(work.operation, dict(work.arguments)) for work in due((rule,), given_facts)]


# engines


def test_an_engine_of_another_tensorrt_is_built_anew_as_it_was_chosen() -> None:
    chosen = an_artifact(precision="int8", size=320, batch=2, level=4)
    wanted = {"role": "plate", "format": "tensorrt", "source": SOURCE, "precision": "int8"}
    assert asked(facts(chosen)) == [("build", {**wanted, "size": 320, "batch": 2, "level": 4})]


def test_what_was_built_anew_and_accepted_is_activated() -> None:
    built = an_artifact(NEW)
    assert asked(facts(an_artifact(), built)) == [("activate", {"role": "plate", "key": built.key})]


@pytest.mark.parametrize("differs", [{"source": OTHER}, {"precision": "int8"}, {"size": 640}])
def test_an_engine_of_other_weights_or_another_precision_is_not_put_in_its_place(differs: dict[str, Any]) -> None:
    assert [operation for operation, _ in asked(facts(an_artifact(), an_artifact(NEW, **differs)))] == ["build"]


def test_what_was_built_anew_and_is_worse_is_neither_activated_nor_built_every_night() -> None:
    assert asked(facts(an_artifact(), an_artifact(NEW, "rejected"))) == []


def test_what_too_little_was_measured_of_is_measured_again_before_it_is_activated() -> None:
    assert [operation for operation, _ in asked(facts(an_artifact(), an_artifact(NEW, "undecided")))] == ["build"]


def test_an_engine_that_fits_is_left_alone() -> None:
    assert asked(facts(an_artifact(NEW), an_artifact(NEW, precision="int8"))) == []


def test_an_operator_who_chose_onnx_by_hand_is_left_alone() -> None:
    by_hand = an_artifact(format="onnx", precision="fp32", judged="baseline")
    assert asked(facts(by_hand, an_artifact(NEW), an_artifact(OLD))) == []


def test_where_nothing_was_chosen_the_only_source_becomes_an_engine() -> None:
    assert asked(facts(None)) == [
        ("build", {"role": "plate", "format": "tensorrt", "source": SOURCE, "precision": "fp16"})
    ]


def test_which_of_two_sources_is_meant_is_not_guessed() -> None:
    assert asked(replace(facts(None), roles=(RoleFacts("plate", sources=(SOURCE, OTHER)),))) == []


def test_a_source_that_is_gone_is_not_asked_for() -> None:
    assert asked(replace(facts(None), roles=(RoleFacts("plate", an_artifact(), (an_artifact(),), ()),))) == []


def test_a_machine_without_tensorrt_has_no_engines_to_keep() -> None:
    assert asked(facts(None, machine=PC)) == []


# retry


def test_what_was_deferred_is_asked_for_again_with_the_same_arguments_on_another_day() -> None:
    failed = Deferred("1", "build", {"role": "plate"}, NOW - DAY_NS)
    assert asked(facts(None, machine=PC, deferred=(failed,)), "retry") == [("build", {"role": "plate"})]
    early = replace(failed, failed_ns=NOW - DAY_NS + EARLY_NS + 1)
    assert asked(facts(None, machine=PC, deferred=(early,)), "retry") == []


@pytest.mark.parametrize("retried", range(RETRIES + 2))
def test_it_is_asked_for_at_most_so_often(retried: int) -> None:
    failed = Deferred("1", "build", {}, NOW - 100 * DAY_NS, retried)
    assert bool(asked(facts(None, machine=PC, deferred=(failed,)), "retry")) == (retried < RETRIES)


# benchmark, evaluate, prune


def test_a_role_with_two_measured_artifacts_is_benchmarked_weekly() -> None:
    two = facts(an_artifact(numbers=True), an_artifact(NEW, numbers=True), frames=True)
    assert asked(two, "benchmark") == [("benchmark", {"role": "plate"})]
    six = replace(two, marks={"benchmark:plate": Mark(NOW - 6 * DAY_NS)})
    assert asked(six, "benchmark") == []
    assert asked(six, "benchmark", every=6) == [("benchmark", {"role": "plate"})]
    assert asked(replace(two, marks={"benchmark:plate": Mark(NOW - 7 * DAY_NS)}), "benchmark") != []


def test_one_artifact_is_no_comparison_and_without_frames_nothing_is_measured() -> None:
    assert asked(facts(an_artifact(numbers=True), an_artifact(NEW), frames=True), "benchmark") == []
    assert asked(facts(an_artifact(numbers=True), an_artifact(NEW, numbers=True)), "benchmark") == []
    assert asked(facts(an_artifact(NEW)), "evaluate") == []


def test_what_serves_and_what_is_undecided_is_evaluated_monthly() -> None:
    serves, undecided = an_artifact(NEW), an_artifact(NEW, "undecided", precision="int8")
    found = facts(serves, undecided, an_artifact(NEW, "rejected", size=640), frames=True)
    assert asked(found, "evaluate") == [
        ("evaluate", {"role": "plate", "key": each.key}) for each in (serves, undecided)
    ]
    marks = {f"evaluate:plate:{each.key}": Mark(NOW - 29 * DAY_NS) for each in (serves, undecided)}
    assert asked(replace(found, marks=marks), "evaluate") == []
    later = replace(found, now_ns=NOW + DAY_NS, marks=marks)
    assert len(asked(later, "evaluate")) == 2


def test_an_engine_that_cannot_run_here_and_a_baseline_are_not_evaluated() -> None:
    serves = an_artifact(format="onnx", precision="fp32", judged="baseline")
    assert asked(facts(serves, an_artifact(OLD, "undecided"), frames=True), "evaluate") == []


def test_there_is_something_to_prune_where_there_are_artifacts() -> None:
    assert asked(facts(an_artifact()), "prune") == [("prune", {})]
    assert asked(facts(None), "prune") == []


# all of them


def wanted(given_facts: Facts) -> tuple[Work, ...]:
    return due(ALL, given_facts)


EVERYTHING = facts(
    an_artifact(numbers=True),
    an_artifact(NEW, "undecided", numbers=True),
    frames=True,
    deferred=(Deferred("1", "fetch", {}, NOW - 9 * DAY_NS),),
)


def test_a_rule_that_is_switched_off_asks_for_nothing() -> None:
    assert {work.rule for work in wanted(EVERYTHING)} == {"engines", "retry", "benchmark", "evaluate", "prune"}
    assert due([rule.model_copy(update={"enabled": False}) for rule in ALL], EVERYTHING) == ()


def test_after_tries_that_came_to_nothing_the_pauses_grow() -> None:
    (work,) = due(ALL[:1], EVERYTHING)
    for failed, days in enumerate((*AGAIN_DAYS, AGAIN_DAYS[-1]), 1):
        for ago, expected in ((days * DAY_NS - EARLY_NS - 1, False), (days * DAY_NS - EARLY_NS, True)):
            marks = {work.mark: Mark(NOW - ago, failed)}
            assert bool(due(ALL[:1], replace(EVERYTHING, marks=marks))) == expected


def test_a_night_that_comes_an_hour_early_when_the_clocks_go_forward_is_not_missed() -> None:
    marks = {"prune": Mark(NOW - 7 * DAY_NS + 3600 * 10**9)}
    assert asked(replace(EVERYTHING, marks=marks), "prune") == [("prune", {})]


@given(st.sets(st.sampled_from([work.mark for work in wanted(EVERYTHING)])))
def test_nothing_is_asked_for_twice_while_it_is_open(busy: set[str]) -> None:
    found = {work.mark for work in wanted(replace(EVERYTHING, busy=frozenset(busy)))}
    assert found == {work.mark for work in wanted(EVERYTHING)} - busy


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.booleans())
def test_night_after_night_nothing_is_asked_for_more_often_than_it_may(hours: list[int], fails: bool) -> None:
    marks: dict[str, Mark] = {}
    now_ns, last = NOW, dict[str, int]()
    for pause in hours:
        now_ns += pause * 3600 * 10**9
        for work in wanted(replace(EVERYTHING, now_ns=now_ns, marks=marks)):
            least = {"benchmark": 7, "evaluate": 30, "prune": 7}.get(work.rule, 1) if not fails else 1
            assert work.mark not in last or now_ns - last[work.mark] >= least * DAY_NS - EARLY_NS
            last[work.mark] = now_ns
            failed = marks[work.mark].failed + 1 if fails and work.mark in marks else int(fails)
            marks[work.mark] = Mark(now_ns, failed)


@given(st.integers(1, 60 * 365))
def test_a_clock_that_was_set_back_keeps_no_rule_still(days: int) -> None:
    ahead = NOW + days * DAY_NS
    marks = {work.mark: Mark(ahead, 2) for work in wanted(EVERYTHING)}
    failed = (Deferred("1", "fetch", {}, ahead),)
    assert wanted(replace(EVERYTHING, marks=marks, deferred=failed)) == wanted(EVERYTHING)


def test_rules_do_not_undo_each_other_they_come_to_rest() -> None:
    """Play what is asked for as if it went well: after a few nights nothing about engines is left to do."""
    active, passports, operations = an_artifact(), [an_artifact()], []
    for _ in range(10):
        now = replace(facts(active), roles=(RoleFacts("plate", active, tuple(passports), (SOURCE,)),), frames=True)
        found = due(ALL[:1], now)
        operations += [work.operation for work in found]
        for work in found:
            if work.operation == "build":
                passports.append(an_artifact(NEW))
            else:
                active = next(each for each in passports if each.key == work.arguments["key"])
    assert operations == ["build", "activate"]
