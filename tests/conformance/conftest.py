"""Everything is tried at the same time, because a run of the kit waits more than it works."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conformance import controllers, ingests
from tests.conformance.trying import Ends, Results, Tried, a_broker


@pytest.fixture(scope="session")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    """Begin every try at once; each is waited for by its own test."""
    folder = tmp_path_factory.mktemp("tried")
    shared, apart, gate, store = (a_broker(folder / name) for name in ("shared", "apart", "gate", "store"))
    ends: Ends = [shared.kill, apart.kill, gate.kill, store.kill]
    with ThreadPoolExecutor(len(controllers.BROKEN) + len(ingests.BROKEN) + 8) as pool:
        gates: Results = {
            "ours": pool.submit(controllers.ours, gate, folder / "our gate", ends),
            "JavaScript": pool.submit(controllers.javascript, shared, folder / "javascript", ends),
        }
        for name, wrong in (("right", ""), *((name, wrong) for name, (wrong, _) in controllers.BROKEN.items())):
            broker = apart if wrong == "any device" else shared
            gates[name] = pool.submit(controllers.reference, broker, folder / name, wrong, ends)
        stores: Results = {"ours": pool.submit(ingests.ours, store, folder / "our ingest", ends)}
        for name, wrong in (("right", ""), *((name, wrong) for name, (wrong, _) in ingests.BROKEN.items())):
            broker = apart if wrong == "no host" else shared
            stores[name] = pool.submit(ingests.reference, broker, f"store-{len(stores)}", wrong, ends)
        yield Tried(gates, stores)
    for end in reversed(ends):
        end()
