"""Places for stores, on each database: what a test of both asks for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.postgresql import Postgresql

NewUrl = Callable[[], str]


@pytest.fixture(params=["postgresql", "sqlite"])
def new_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewUrl:
    """Return a place with an empty store (PostgreSQL) or none yet (SQLite) at each call."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db"
    server: Postgresql = request.getfixturevalue("postgresql_server")
    template: str = request.getfixturevalue("empty_store")
    return lambda: server.database(template)


@pytest.fixture
def url(new_url: NewUrl) -> str:
    """Return one place."""
    return new_url()


@pytest.fixture(params=["postgresql", "sqlite"])
def bare_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a place with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db"
    return str(request.getfixturevalue("postgresql_server").database())
