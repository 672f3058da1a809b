"""`fleet why` says what is true, in situations that were made for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.why_ten import SITUATIONS, Situation, answered


@pytest.mark.parametrize("situation", SITUATIONS, ids=[each.name for each in SITUATIONS])
def test_the_answer_is_the_truth(situation: Situation, tmp_path: Path) -> None:
    answer, after_s = answered(situation, tmp_path)
    assert [word for word in situation.words if word not in answer.says] == []
    assert (after_s, answer.moves) == (situation.after_s, situation.moves)
