"""The proxy that does what links do, as a fixture."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from platefleet.deploy.simulate.proxy import Direction, Proxy

__all__ = ["Direction", "Proxy", "make_proxy"]


@pytest.fixture
def make_proxy() -> Iterator[Callable[[int], Proxy]]:
    """Put proxies in front of ports: `make_proxy(mosquitto.port)`."""
    made: list[Proxy] = []

    def make(target_port: int) -> Proxy:
        made.append(Proxy(target_port))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()
