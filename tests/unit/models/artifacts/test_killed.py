"""A store whose users are killed at any point holds the old state or the new."""

from __future__ import annotations

import pytest

from platefleet.models.artifacts.store import ArtifactStore
from tests.artifact_stores import Built
from tests.killed_models import accepted, sweep

pytestmark = pytest.mark.materials


def test_killed_while_it_builds_activates_or_rolls_back_what_is_active_can_be_loaded(
    store: ArtifactStore, built: Built
) -> None:
    killed = sweep(store, built.baseline, accepted(store, built.int8.key), points=6, seed=11)
    assert sum(each.died for each in killed) >= 4
