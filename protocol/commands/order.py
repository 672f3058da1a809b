"""What was asked for, and on what terms it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from platefleet.protocol.clock import Instant

Slot = Literal["heavy", "trial", "light"]
"""One command at a time in each. heavy: what takes the machine; trial: what serves; light: what takes no time."""


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. operator: who, as statuses name it. issued_at_ns: UTC; older ones go first.

    lives_ns: None once its times were judged by a good clock; before, how long it lives from `received`, in `boot`.
    """

    id: str
    operation: str
    operator: str
    issued_at_ns: int
    not_after_ns: int
    received: Instant
    boot: str
    not_before_ns: int | None = None
    priority: int = 5
    lives_ns: int | None = None


@dataclass(frozen=True, slots=True)
class StepLimits:
    """Seconds a step may take, and seconds without a sign of life after which it hangs."""

    deadline_s: float
    stall_s: float


@dataclass(frozen=True, slots=True)
class Terms:
    """What an operation needs. in_window: hours for heavy work, quiet, and a cool machine. memory_bytes: free ones.

    anyhow: an operator said that it need not wait for the window and for quiet; memory and temperature count.
    """

    slot: Slot
    first_step: str
    steps: Mapping[str, StepLimits] = field(default_factory=dict)
    in_window: bool = False
    memory_bytes: int = 0
    anyhow: bool = False
