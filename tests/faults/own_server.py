"""A PostgreSQL of one's own for the rounds of faults."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, cast

import pytest


def a_server() -> AbstractContextManager[Any]:
    """Start PostgreSQL, where this store knows it."""
    return cast("AbstractContextManager[Any]", pytest.importorskip("tests.faults.server").a_server())
