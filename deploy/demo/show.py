"""What a person sees of the demo: a line for each pass, a table at the end, annotated pictures in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from platefleet.deploy.demo.ledger import Ledger
from platefleet.deploy.demo.verdict import Match
from platefleet.protocol.messages import Decision, PlateEvent


def of_event(event: PlateEvent) -> Text:
    """Return a pass's revision as one line."""
    line = Text("  ")
    line.append("left  " if event.final else "pass  ", style="dim" if event.final else "bold cyan")
    if event.unread:
        line.append(f"unread: {event.unread}", style="yellow")
    else:
        line.append(event.text, style="bold")
        line.append(f"  sure {event.mean:.2f}, least {event.minimum:.2f}", style="dim")
    line.append(f"  {event.direction}, revision {event.revision}, {event.frames} frames", style="dim")
    return line


def of_decision(decision: Decision) -> Text:
    """Return a gate's decision as one line."""
    line = Text("        gate: ")
    opened = decision.verdict == "opened"
    line.append(decision.verdict, style="bold green" if opened else "red")
    plate = f"{decision.text}: " if decision.text and not decision.reason.startswith(decision.text) else ""
    line.append(f"  {plate}{decision.reason}", style="dim")
    return line


def percentile(values: Sequence[float], q: float) -> float:
    """Return the q-th percentile (0–100), not a number for no values."""
    return float(np.percentile(values, q)) if values else float("nan")


def table(
    console: Console,
    matches: Sequence[Match],
    ledger: Ledger,
    *,
    appended: int,
    committed: int,
    stages_ms: Mapping[str, Sequence[float]],
) -> None:
    """Print what was shown and what came of it."""
    read = sum(1 for told in ledger.passes if told.text)
    figures = {
        "cars shown": sum(match.car is not None for match in matches),
        "passes": len(ledger.passes),
        "read": read,
        "misread": sum(match.misread for match in matches),
        "unread": len(ledger.passes) - read,
        "records appended": appended,
        "records committed": committed,
        "opened": len(ledger.opened),
        "refused": len(ledger.refused),
        "late": ledger.late,
    }
    rows = Table("what", "how many", show_header=False)
    for what, number in figures.items():
        rows.add_row(what, str(number))
    console.print(rows, soft_wrap=False)
    times = Table("", "p50", "p99")
    times.add_row(
        "seconds to decide (frame to gate)",
        f"{percentile(ledger.decided_s, 50):.3f}",
        f"{percentile(ledger.decided_s, 99):.3f}",
    )
    for stage, values in stages_ms.items():
        times.add_row(f"ms a frame: {stage}", f"{percentile(values, 50):.1f}", f"{percentile(values, 99):.1f}")
    console.print(times, soft_wrap=False)
    cars = Table("car", "its plate", "told", "gate")
    for match in matches:
        told = match.told
        text = "no pass" if told is None else told.text or f"unread: {told.unread}"
        gate = (
            "" if told is None else "opened" if told.pass_id in ledger.opened else ledger.refused.get(told.pass_id, "")
        )
        style = "red" if told is None or match.car is None or match.misread else ""
        name, plate = (match.car.name, match.car.plate or "not readable") if match.car else ("no car", "")
        cars.add_row(name, plate, text, gate, style=style)
    console.print(cars, soft_wrap=False)


def save(folder: Path, name: str, picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Path:
    """Write a picture as JPEG and return where it is. Raises OSError if the folder cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.jpg"
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
    path.write_bytes(encoded.tobytes())
    return path
