"""What an operation is: typed arguments, a typed result, its terms, and how it is carried out on a device.

Each operation is one module of this package that holds `OPERATION`; both ends find it by its name in `operations`. The
console reads arguments and results by the types here; a device carries it out through a `Host` and a `Job`, so that
nothing in an operation knows of threads, journals or brokers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from platefleet.models.acceptance.dataset import Dataset
from platefleet.models.artifacts.passport import Machine, Role
from platefleet.models.artifacts.store import ArtifactStore
from platefleet.protocol.commands.order import Slot
from platefleet.protocol.errors import CommandError
from platefleet.protocol.messages.desired import Window
from platefleet.protocol.messages.trust import KeyRole


class Arguments(BaseModel):
    """What an operation is told: frozen, strict, and nothing that it does not know."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Result(BaseModel):
    """What came of an operation, for a status: frozen; a later release may add to it."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


A = TypeVar("A", bound=Arguments)
R = TypeVar("R", bound=Result)


class StoppedEarly(CommandError):
    """The operation ended because it was told to; what it had begun is undone or can be begun again."""


class UndoneAgain(CommandError):
    """The operation was done and undone because of what was seen: its command ends as `rolled_back`."""


class NotNow(CommandError):
    """It failed by something that passes: its command is tried again later."""


class Job(Protocol):
    """One try of one command. Every call may raise StoppedEarly."""

    @property
    def command(self) -> str:
        """Its id."""
        ...

    @property
    def attempt(self) -> int:
        """Which try this is, from 1."""
        ...

    def step(self, name: str) -> None:
        """Come to another of its steps; durable when this returns."""
        ...

    def tell(self, step: str, share: float | None) -> None:
        """Give a sign of life: what is done inside the step, and which share of it is done, 0-1, if anybody knows."""
        ...

    def stopping(self) -> bool:
        """Whether it was told to stop."""
        ...

    def paused(self) -> bool:
        """Whether what it does should stand still for the moment: a car is there."""
        ...

    def keep(self, name: str, value: str) -> None:
        """Remember something for the next try or `settle`; durable when this returns."""
        ...

    def kept(self, name: str) -> str | None:
        """Return what an earlier try or step remembered."""
        ...


@dataclass(frozen=True)
class Hosts:
    """Where models may be fetched from, as the device's own configuration has it."""

    names: tuple[str, ...] = ()
    ca_file: Path | None = None
    token_file: Path | None = None


class Host(Protocol):
    """The device, as far as operations need it."""

    @property
    def store(self) -> ArtifactStore:
        """Its artifacts. Raises ArtifactError where the device keeps none."""
        ...

    @property
    def hosts(self) -> Hosts:
        """Where models may come from."""
        ...

    def machine(self) -> Machine:
        """Return what it runs on."""
        ...

    def frames(self, use: Literal["evaluation", "calibration"]) -> Dataset:
        """Return its frames for one use; the two share no day. Raises ArtifactError where there are none."""
        ...

    def threshold(self, role: Role) -> float:
        """Return the role's operating confidence."""
        ...

    def pictures(self, lanes: Sequence[str], most_bytes: int) -> Mapping[str, bytes]:
        """Return what each lane's camera sees now, JPEG by lane, together at most so many bytes.

        Raises CameraError for a lane that is none, or gives no picture.
        """
        ...

    def diagnosis(self) -> Mapping[str, Any]:
        """Return what a technician would look at first: health, problems, versions, disks, clocks; plain values."""
        ...

    def window(self) -> Window:
        """Return the window in force."""
        ...

    def set_window(self, window: Window) -> None:
        """Put another window in force; durable when this returns."""
        ...

    def begin_anew(self) -> None:
        """Ask the agent to end and be started again. Returns at once."""
        ...

    def run(self) -> str:
        """Return the id of this run of the agent: another one after each start."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """One step. deadline_s: that it may take; stall_s: without a sign of life. no_return: it cannot be cancelled."""

    name: str
    deadline_s: float = 60.0
    stall_s: float = 60.0
    no_return: bool = False


@dataclass(frozen=True)
class Operation(Generic[A, R]):
    """One thing that can be asked of a device.

    says: one line for a person. role: who may ask; an administrator may all. slot, in_window: see `Terms`. versioned:
    it builds on a version of the device's choices and makes a new one. memory_bytes: what has to be free, by its
    arguments. require: asked when it comes and again before it begins; raises PlatefleetError where this device cannot
    do it at all. run: carries it out; raises PlatefleetError. settle: after the agent began anew in the middle: what
    became of it, if that can be seen; returns None where it is to be tried again, raises UndoneAgain or another
    PlatefleetError where it is not. lines: what a person is told of a result.
    """

    name: str
    says: str
    arguments: type[A]
    result: type[R]
    steps: tuple[Step, ...]
    run: Callable[[A, Host, Job], R]
    role: KeyRole = "administrator"
    slot: Slot = "light"
    in_window: bool = False
    versioned: bool = False
    memory_bytes: Callable[[A], int] = lambda _arguments: 0
    require: Callable[[A, Host], None] = lambda _arguments, _host: None
    settle: Callable[[A, Host, Job], R | None] = lambda _arguments, _host, _job: None
    lines: Callable[[R], Sequence[str]] = lambda _result: ()


def keeps_artifacts(_arguments: Arguments, host: Host) -> None:
    """Raise ArtifactError where the device keeps no artifacts: what most operations require."""
    _ = host.store
