"""Exact intervals for shares of few cases: honest where nothing was lost, which a bootstrap is not.

Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
Biometrika 26 (1934). scipy's beta quantiles do the arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from platefleet.models.errors import MissingExtra

CONFIDENCE = 0.95
"""Of each one-sided bound."""


def at_most(events: int, cases: int, confidence: float = CONFIDENCE) -> float:
    """Return the share that is not exceeded with this confidence, 0-1, after `events` of `cases` were seen.

    >>> round(at_most(0, 108), 4), round(at_most(0, 300), 4), at_most(0, 0)
    (0.0274, 0.0099, 1.0)
    """
    _check(events, cases)
    if events == cases:
        return 1.0
    return float(_beta().ppf(confidence, events + 1, cases - events))


def at_least(events: int, cases: int, confidence: float = CONFIDENCE) -> float:
    """Return the share that is reached with this confidence, 0-1.

    >>> at_least(0, 108), round(at_least(10, 100), 3)
    (0.0, 0.055)
    """
    _check(events, cases)
    if events == 0:
        return 0.0
    return float(_beta().ppf(1 - confidence, events, cases - events + 1))


def cases_for(limit: float, events: int, confidence: float = CONFIDENCE, most: int = 1_000_000) -> int:
    """Return how many cases it takes until `events` of them prove a share of at most `limit` (0-1, not 0).

    >>> cases_for(0.01, 0), cases_for(0.03, 0), cases_for(0.01, 1)
    (299, 99, 473)
    """
    low, high = max(events, 1), max(events, 1)
    while at_most(events, high, confidence) > limit:
        low, high = high, high * 2
        if high > most:
            return most
    while low < high:
        middle = (low + high) // 2
        if at_most(events, middle, confidence) <= limit:
            high = middle
        else:
            low = middle + 1
    return high


def median_between(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return between which two values the median lies, each bound with this confidence, whatever their distribution.

    Source: order statistics; how many of n values lie below the median is binomial with one half. Too few values give
    their least and greatest, which then promise less.

    >>> median_between([1.0, 2.0, 3.0]), median_between([float(n) for n in range(1, 101)])
    ((1.0, 3.0), (42.0, 59.0))
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values have no median")
    outside = max(int(_binomial().ppf(1 - confidence, len(ordered), 0.5)) - 1, 0)
    return ordered[outside], ordered[-1 - outside]


def _check(events: int, cases: int) -> None:
    if not 0 <= events <= cases:
        raise ValueError(f"{events} of {cases} is no share")


def _beta() -> Any:
    return _stats().beta


def _binomial() -> Any:
    return _stats().binom


def _stats() -> Any:
    try:
        import scipy.stats  # noqa: PLC0415 - an extra, loaded when something is judged
    except ImportError as error:
        raise MissingExtra('scipy is not installed: pip install "platefleet[engines]"') from error
    return scipy.stats
