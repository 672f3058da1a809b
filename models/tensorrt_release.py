"""TensorRT, whichever release is installed: the only file that knows how its releases differ.

The tensor API that the backend runs on (`num_io_tensors`, `set_tensor_address`, `execute_async_v3`) exists from 8.5 and
is the only one from 10. What 10 renamed or 11 took away is decided here; names read in the docstrings of the 8.6.0 and
10.16.1 wheels.
"""

from __future__ import annotations

import importlib
from typing import Any

from platefleet.models.artifacts.plan_header import version_of
from platefleet.models.errors import MissingExtra
from platefleet.protocol.errors import ModelError

OLDEST, TOO_NEW = (8, 5), 11
LEVELS_FROM = (8, 6)
"""`builder_optimization_level`; an older builder has one way of looking for tactics."""


def tensorrt() -> Any:
    """Return the library. Raises MissingExtra without it, ModelError for a release that this one cannot run."""
    try:
        library = importlib.import_module("tensorrt")
    except (ImportError, OSError) as error:
        raise MissingExtra('TensorRT is not installed: pip install "platefleet[tensorrt]"') from error
    check_release(library.__version__)
    return library


def check_release(version: str) -> None:
    """Raise ModelError unless TensorRT `version` is 8.5 to 10.

    >>> check_release("8.6.2"), check_release("10.3.0")
    (None, None)
    >>> check_release("11.0.0")
    Traceback (most recent call last):
    platefleet.protocol.errors.ModelError: TensorRT 11.0.0 has no INT8 calibrators and builds typed networks only; \
install 8.5 to 10
    """
    found = version_of(version)
    if found[0] >= TOO_NEW:
        raise ModelError(
            f"TensorRT {version} has no INT8 calibrators and builds typed networks only; install 8.5 to 10"
        )
    if found[:2] < OLDEST:
        raise ModelError(f"TensorRT {version} lacks the tensor API, which came with 8.5; install 8.5 to 10")


def network_flags(trt: Any) -> int:
    """Return the flags of a network with the batch in its shapes, the only kind from 10 on."""
    return 1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)


def set_level(trt: Any, config: Any, level: int | None) -> str | None:
    """Set how long the builder looks, 0-5; return what could not be done, as a sentence for the passport."""
    if level is None:
        return None
    if version_of(trt.__version__)[:2] < LEVELS_FROM:
        return f"TensorRT {trt.__version__} has no builder levels; level {level} was not set"
    config.builder_optimization_level = level
    return None


def tactic_mask(trt: Any, names: tuple[str, ...]) -> int:
    """Return the bits of tactic sources by name. Raises ModelError for a name that this release does not have."""
    known = trt.TacticSource.__members__
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ModelError(
            f"TensorRT {trt.__version__} has no tactic source {unknown[0]}; choose from {', '.join(sorted(known))}"
        )
    return sum(1 << int(known[name]) for name in names)
