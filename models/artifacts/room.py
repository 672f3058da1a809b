"""Whether an artifact fits beside what runs, and what it costs if it does not: decided before it is loaded.

Two models of a role are open at once while one is tried beside the other. Where memory is short for that, what runs is
closed first: a pause, whose length is known from the last time that the artifact was opened on this device.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import psutil

from platefleet.models.artifacts.passport import Passport

SPARE_BYTES = 256 << 20
"""What stays free of either memory: cameras, pictures and the outbox grow too, and a full one ends processes."""
CHILD_BYTES = 256 << 20
"""Of an artifact that was never opened here: a process with its libraries (measured with ONNX Runtime: 110 MB) …"""
TIMES_ITS_FILE = 4
"""… and the model itself, read, unpacked and with room to compute in (measured: 3 to 5 times its file)."""
_ASK_S = 5.0


@dataclass(frozen=True, slots=True)
class Need:
    """What opening an artifact takes, its run in a child included. seconds: None where it was never opened here."""

    memory_bytes: int
    gpu_bytes: int = 0
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Free:
    """What is free. gpu_bytes: None where there is no GPU, or it shares the processor's memory as a Jetson's does."""

    memory_bytes: int
    gpu_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Beside:
    """It fits beside what runs: nothing pauses. said: for people."""

    said: str


@dataclass(frozen=True, slots=True)
class Instead:
    """It does not fit: what runs is closed before it is opened. pause_s: None where nobody knows. said: for people."""

    said: str
    pause_s: float | None


Way = Beside | Instead


def way(need: Need, free: Free, spare_bytes: int = SPARE_BYTES) -> Way:
    """Return how an artifact can be loaded while another one of its role runs.

    >>> way(Need(200 << 20), Free(3 << 30))
    Beside(said='it fits beside what runs: about 200 MB of 3072 MB free')
    >>> way(Need(900 << 20, seconds=1.5), Free(600 << 20)).said
    'it does not fit beside what runs (about 900 MB of 600 MB free, 256 MB stay free): a pause of about 1.5 s'
    """
    for needed, there, where in (
        (need.memory_bytes, free.memory_bytes, ""),
        (need.gpu_bytes, free.gpu_bytes, " on the GPU"),
    ):
        if there is not None and needed + spare_bytes > there:
            long = "of unknown length" if need.seconds is None else f"of about {need.seconds:.1f} s"
            told = f"about {needed >> 20} MB of {there >> 20} MB free{where}, {spare_bytes >> 20} MB stay free"
            return Instead(f"it does not fit beside what runs ({told}): a pause {long}", need.seconds)
    return Beside(
        f"it fits beside what runs: about {need.memory_bytes >> 20} MB of {free.memory_bytes >> 20} MB free"
        + (f", {need.gpu_bytes >> 20} of {free.gpu_bytes >> 20} on the GPU" if free.gpu_bytes is not None else "")
    )


def need_of(passport: Passport, file_bytes: int) -> Need:
    """Return what opening an artifact takes: as it was seen on this device, else by the size of its model's file."""
    if (seen := passport.opening) is not None:
        return Need(seen.memory_bytes, seen.gpu_bytes, seen.seconds)
    guessed = CHILD_BYTES + TIMES_ITS_FILE * file_bytes
    return Need(guessed, guessed if passport.recipe.format == "tensorrt" else 0)


def free_memory() -> Free:
    """Return what is free now; of a GPU what nvidia-smi tells, within five seconds."""
    return Free(psutil.virtual_memory().available, free_gpu_bytes())


def free_gpu_bytes() -> int | None:
    """Return what is free on the first GPU, None where nvidia-smi tells nothing."""
    command = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits", "--id=0"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_S, check=False)
        return int(done.stdout.strip()) << 20
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError, ValueError):
        return None
