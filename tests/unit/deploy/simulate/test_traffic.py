"""A simulated lane behaves as lanes do, and the same seed is the same day."""

from __future__ import annotations

from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from platefleet.deploy.simulate.traffic import Habits, Step, steps


def of_passes(seen: list[Step]) -> dict[str, list[Step]]:
    passes: dict[str, list[Step]] = {}
    for step in seen:
        passes.setdefault(step.pass_id, []).append(step)
    return passes


@settings(max_examples=15, deadline=None)
@given(st.text(max_size=8), st.floats(1, 120), st.booleans())
def test_a_pass_is_told_by_rising_revisions_and_ends_with_its_final_one(seed: str, rate: float, crops: bool) -> None:
    habits = Habits(rate, crops=crops)
    seen = list(islice(steps(seed, habits), 150))
    assert seen == list(islice(steps(seed, habits), 150))
    assert [s.at_s for s in seen] == sorted(s.at_s for s in seen)
    for told in list(of_passes(seen).values())[:-1]:
        revisions = [step.revision for step in told if step.kind == "revision"]
        assert revisions == list(range(1, len(revisions) + 1))
        assert [step.final for step in told] == [False] * (len(told) - 1) + [True]
        assert any(step.kind == "crops" for step in told) == crops
        assert all(step.revision <= revisions[-1] for step in told)


def test_other_seeds_are_other_days() -> None:
    first, second = (next(steps(seed, Habits())) for seed in ("1", "2"))
    assert first.pass_id != second.pass_id


def test_so_many_vehicles_come_in_a_minute() -> None:
    ends = [step.at_s for step in islice(steps("1", Habits(6.0)), 4000) if step.final]
    assert 5.0 < len(ends) / ends[-1] * 60 < 7.0
