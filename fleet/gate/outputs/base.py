"""The port of an output: one call that moves something, or says why it did not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Order:
    """What an output is told: who and where. plate: the list's plate, empty when opened by hand.

    Everything in it is harmless in an argument, an environment value and a URL: device and lane are ids, the plate is
    of the list's alphabet, the pass is a UUID. What the camera wrote never gets here.
    """

    gate: str
    device: str
    lane: str
    plate: str = ""
    pass_id: str = ""

    def fields(self) -> dict[str, str]:
        """Return what can be named in the configuration, by name."""
        return {
            "gate": self.gate,
            "device": self.device,
            "lane": self.lane,
            "plate": self.plate,
            "pass": self.pass_id,
        }


class Output(Protocol):
    """One way to lift a barrier. Called from one thread of its own, one order at a time."""

    def move(self, order: Order) -> None:
        """Lift the barrier once. Raises GateError with the reason if it cannot say that it did; never tries again."""
        ...

    def close(self) -> None:
        """Let go of what it holds; the line of a relay falls back. Calling it again does nothing."""
        ...


class Call:
    """A function of your own as an output: it returns when the barrier was told, and raises if it was not."""

    def __init__(self, function: Callable[[Order], object]) -> None:
        self._function = function

    def move(self, order: Order) -> None:
        """Call the function."""
        self._function(order)

    def close(self) -> None:
        """Nothing is held."""
