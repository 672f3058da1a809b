"""What lifts the barrier: a line printed, a program, a URL, a GPIO line, or a function of your own."""

from platefleet.fleet.gate.outputs.base import Call, Order, Output

__all__ = ["Call", "Order", "Output"]
