"""When a command is sent again: until the device answers, and now and then until it is over. Pure.

No belief rests on a PUBACK or on a presence: a broker may have lost everything, so only a status ends the repeating.

>>> [next_send(sends, 0, answered=False) // 10**9 for sends in (1, 2, 3, 9, 99)]
[2, 4, 8, 300, 300]
"""

from __future__ import annotations

SECOND_NS = 1_000_000_000
FIRST_NS = 2 * SECOND_NS
MOST_NS = 300 * SECOND_NS
ANSWERED_NS = 900 * SECOND_NS
"""A command that was answered and is not over is asked for so often: the status that ended it may have been lost."""


def next_send(sends: int, now_ns: int, *, answered: bool) -> int:
    """Return when a command is sent again after it was sent `sends` times, UTC nanoseconds."""
    if answered:
        return now_ns + ANSWERED_NS
    return now_ns + min(FIRST_NS << min(max(sends - 1, 0), 20), MOST_NS)
