"""How `pytest -n` spreads the tests over processes: a file at a time, and what takes long begins first.

The tests of a file stay together, because what they share is started once a process.
"""

from __future__ import annotations

from typing import Any

import pytest

TOGETHER = ("tests/conformance/",)
"""Folders whose files share what they start."""
LIMIT_S = 180.0
"""pytest's own limit of a test, as in pyproject.toml."""


def scope(nodeid: str) -> str:
    """Return what is run in one process, in order: a test's file, or its folder."""
    return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.split("::", 1)[0])


def length(item: pytest.Item) -> tuple[float, bool]:
    """Return how long a test may take, by what it says of itself: its limit, and whether it is slow."""
    limit = item.get_closest_marker("timeout")
    return (float(limit.args[0]) if limit else LIMIT_S), item.get_closest_marker("slow") is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first: what begins last must be short, or one process works while the others are done."""
    longest: dict[str, tuple[float, bool]] = {}
    for item in items:
        key = scope(item.nodeid)
        longest[key] = max(longest.get(key, (0.0, False)), length(item))
    items.sort(key=lambda item: longest[scope(item.nodeid)], reverse=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Return the scheduler, which takes the scopes in the order in which they were collected."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - where there is no xdist nobody asks

    class Spread(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope(nodeid)

    config.option.loadscopereorder = False
    return Spread(config, log)
