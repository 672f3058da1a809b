"""A guard opens a lane at this machine: through the running controller, or alone when none runs. It needs no broker."""

from __future__ import annotations

import json
import logging
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from platefleet.fleet.gate.calendar import Calendar
from platefleet.fleet.gate.core import Core
from platefleet.fleet.gate.escape import for_terminal
from platefleet.fleet.gate.facts import Pulse, Rule
from platefleet.fleet.gate.hearing import Key
from platefleet.fleet.gate.holding import LONGEST_S
from platefleet.fleet.gate.inbox import Asked, AskedToForgive, AskedToHold, Wish
from platefleet.fleet.gate.journal import Journal
from platefleet.fleet.gate.outputs.base import Output
from platefleet.fleet.gate.outputs.runner import moved
from platefleet.fleet.gate.replay import replay
from platefleet.fleet.gate.verdicts import Listing
from platefleet.protocol.clock import Clock
from platefleet.protocol.errors import GateError
from platefleet.protocol.messages import Decision

LOG = logging.getLogger(__name__)
LINE_LIMIT_BYTES = 4096
ASK_TIMEOUT_S = 5.0
REASON_LIMIT = 200


def find_lane(rules: Mapping[Key, Rule], lane: str) -> Key:
    """Return the lane that a person means: `LANE`, or `DEVICE/LANE`. Raises GateError that names what there is."""
    found = [key for key in rules if lane in {key[1], f"{key[0]}/{key[1]}"}]
    if len(found) == 1:
        return found[0]
    known = ", ".join(sorted(f"{device}/{name}" for device, name in (found or rules)))
    what = "several lanes have that name" if found else "there is no such lane"
    raise GateError(f"{for_terminal(lane, 80)}: {what}; name one of {known}.")


def said_by(who: str, reason: str) -> str:
    """Return a reason as the record has it. Raises GateError for one that says nothing."""
    if not reason.strip():
        raise GateError("a reason has to be given: it stands in the record.")
    return f"by hand by {for_terminal(who, 40)}: {for_terminal(reason.strip(), REASON_LIMIT)}"


class Door:
    """The running controller's ear: a Unix socket beside the journal, for this machine's user alone."""

    def __init__(self, journal: Path, put: Callable[[Wish], None], answer_within_s: float) -> None:
        """Listen. Raises GateError if the socket cannot be made. Only the journal's lock holder may call this."""
        self._put = put
        self._answer_within_s = answer_within_s
        self._stopping = threading.Event()
        path = _path(journal)
        try:
            path.unlink(missing_ok=True)
            with _short(path) as short:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._socket.bind(short)
            path.chmod(0o600)
            self._socket.listen(4)
        except OSError as error:
            raise GateError(f"{path}: cannot listen there ({error.strerror}); give this user the folder.") from error
        self._socket.settimeout(0.25)
        self._thread = threading.Thread(target=self._run, name="gate door", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and join the thread."""
        self._stopping.set()
        self._thread.join(2.0)
        self._socket.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                caller, _ = self._socket.accept()
            except TimeoutError:
                continue
            except OSError as error:  # too many files, or a caller that left: the door stays open
                LOG.error("gate open: nobody can be let in at the door just now (%s)", error.strerror)
                self._stopping.wait(1.0)
                continue
            with caller:
                try:
                    caller.settimeout(ASK_TIMEOUT_S)
                    caller.sendall(json.dumps(self._answer(_line(caller))).encode("ascii") + b"\n")
                except (OSError, ValueError, RecursionError) as error:  # brackets in brackets exhaust the JSON reader
                    LOG.warning("somebody asked at the gate's door and was not understood or left: %s", error)

    def _answer(self, line: bytes) -> dict[str, Any]:
        answers: queue.Queue[dict[str, Any]] = queue.Queue(1)
        match json.loads(line):
            case {"open": str(lane), "reason": str(reason)}:
                self._put(Asked(lane[:200], reason[:512], answers.put_nowait))
            case {"hold": str(lane), "for_s": int(for_s), "reason": str(reason)} if 0 <= for_s <= LONGEST_S:
                self._put(AskedToHold(lane[:200], reason[:512], for_s, answers.put_nowait))
            case {"forgive": str(plate)}:
                self._put(AskedToForgive(plate[:64], answers.put_nowait))
            case _:
                raise ValueError("no wish that this version knows")
        waited_s = 0.0
        while waited_s < self._answer_within_s and not self._stopping.is_set():
            try:
                return answers.get(timeout=0.25)
            except queue.Empty:  # noqa: PERF203  # in slices, so that a stop is noticed
                waited_s += 0.25
        return {"error": "the controller did not answer in time; the barrier may have opened."}


def ask(journal: Path, wish: Mapping[str, str | int], timeout_s: float, *, held: bool = False) -> str:
    """Ask the running controller for something; return its sentence. Raises GateError if it did not do it.

    held: some process is known to have the journal.
    """
    path = _path(journal)
    alone = "no controller runs with this journal; start `platefleet gate run`"
    try:
        with _short(path) as short, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(timeout_s)
            door.connect(short)
            door.sendall(json.dumps(wish).encode("ascii") + b"\n")
            answer = json.loads(_line(door))
    except (FileNotFoundError, ConnectionRefusedError) as error:
        busy = "the process that has the journal does not listen yet, or opens a lane by hand; ask again"
        raise GateError(f"{journal}: {busy if held else alone}.") from error
    except (OSError, ValueError) as error:
        raise GateError(f"{path}: the process that has the journal does not answer there ({error}).") from error
    match answer:
        case {"opened": str(said)} | {"done": str(said)}:
            return said
        case {"error": str(said)}:
            raise GateError(said)
    raise GateError(f"{path}: the controller answered what this version does not know.")


def open_alone(
    journal: Journal,
    rules: Mapping[Key, Rule],
    key: Key,
    reason: str,
    *,
    output: Output,
    listing: Listing,
    calendar: Calendar,
    clock: Clock,
) -> str:
    """Open a lane while no controller runs; the next one tells of it. Raises GateError if it did not open."""
    pulses: list[Pulse] = []
    said: list[Decision] = []
    past = replay(journal.entries, clock.boot, clock.now().mono_ns)
    core = Core(rules, listing, journal, past, clock=clock, calendar=calendar, submit=pulses.append)
    core.begin()
    core.open_by_hand(key, reason, said.append)
    for pulse in pulses:
        core.moved(moved(pulse.rule.output, output, pulse, clock))
    return sentence(said[0])


def sentence(decision: Decision) -> str:
    """Return what a person is told of a by-hand opening. Raises GateError if it did not open."""
    where = f"{decision.device}/{decision.lane}"
    if decision.verdict in {"held open", "released"}:
        key = {"held open": "hold_output", "released": "release_output"}[decision.verdict]
        still = f"; nothing was moved, because the lane has no {key}" if decision.output is None else ""
        return f"{where} is {decision.verdict}{still}"
    if decision.verdict != "by hand":
        raise GateError(f"{where} was not opened: {decision.reason}")
    return f"{where} opened in {decision.took_ms} ms"


def forgiven(plate: str, *, known: bool) -> dict[str, str]:
    """Return the answer to a person who says that a plate is outside."""
    if known:
        return {"done": f"{for_terminal(plate, 40)} may go in again"}
    return {"error": f"{for_terminal(plate, 40)}: nobody went in with this plate, or it came out or was forgotten."}


def _path(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.sock")


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a name of the socket that fits into the 108 bytes of an address, however deep its folder lies."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _line(caller: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        more = caller.recv(LINE_LIMIT_BYTES)
        data += more
        if not more or len(data) > LINE_LIMIT_BYTES:
            raise ValueError("no line")
    return data
