"""Every operation by its name. A new one is one new module here that holds `OPERATION`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from platefleet.models.operations.port import Operation

_NO_OPERATIONS = frozenset({"child", "found", "port", "reading", "reference"})


@lru_cache(maxsize=1)
def operations() -> Mapping[str, Operation[Any, Any]]:
    """Return every operation by its name, in their order."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name in _NO_OPERATIONS:
            continue
        operation: Operation[Any, Any] = importlib.import_module(f"{__name__}.{module.name}").OPERATION
        found[operation.name] = operation
    return MappingProxyType(dict(sorted(found.items())))
