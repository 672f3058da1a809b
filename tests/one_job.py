"""One try of an operation without an agent: what it did, and a stop or a pause at a step that the test names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from platefleet.models.operations import operations
from platefleet.models.operations.port import Host, StoppedEarly
from platefleet.models.operations.reading import arguments_of


class OneJob:
    """stop_at: the step, or what is done inside one, at which it is told to stop. kept: by earlier tries."""

    command, attempt = "0190", 1

    def __init__(self, stop_at: str = "", kept: Mapping[str, str] | None = None) -> None:
        self.steps: list[str] = []
        self.told: list[str] = []
        self.remembered = dict(kept or {})
        self.stop_at, self.stopped, self.still = stop_at, False, False

    def step(self, name: str) -> None:
        if self.stopped:
            raise StoppedEarly("it was stopped")
        self.steps.append(name)
        self.stopped = name == self.stop_at

    def tell(self, step: str, share: float | None) -> None:
        self.told.append(step)
        self.stopped = self.stopped or step == self.stop_at

    def stopping(self) -> bool:
        return self.stopped

    def paused(self) -> bool:
        return self.still

    def keep(self, name: str, value: str) -> None:
        self.remembered[name] = value

    def kept(self, name: str) -> str | None:
        return self.remembered.get(name)


def carried_out(name: str, host: Host, job: OneJob | None = None, /, **arguments: Any) -> Any:
    """Run an operation on a host."""
    operation = operations()[name]
    return operation.run(arguments_of(operation, arguments), host, job or OneJob())


def settled(name: str, host: Host, job: OneJob, /, **arguments: Any) -> Any:
    """Ask an operation what became of a try that was cut off."""
    operation = operations()[name]
    return operation.settle(arguments_of(operation, arguments), host, job)
