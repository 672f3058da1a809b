"""How long a barrier takes to decide: from the capture of a frame to the controller's decision, over Mosquitto.

Real programs on one machine: the agent with eyes that cost nothing and its outbox on the disk, health flowing, ingest
committing, the controller with its journal and its outbox. All times are of one clock (CLOCK_BOOTTIME), read from the
records in the store. What the eyes really cost is measured beside it on the barrier photos, so that each stage can be
given as a share of the whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from platefleet.deploy.bench.latency_site import LatencySite
from platefleet.deploy.bench.probe import Probe
from platefleet.deploy.bench.scenery import HEIGHT, WIDTH, Plan, Visit
from platefleet.models.errors import MissingExtra, WeightsError
from platefleet.protocol.clock import MILLISECOND_NS
from platefleet.protocol.errors import SessionError

GOAL_P99_MS = 20.0
CARS = 300
"""p99 of 300 stands on the three slowest."""
COLUMNS = 4
"""Cars beside each other, so that 300 pass in two and a half minutes; a lane has one or two."""
PARTS = ("decoder, hand-over", "passes", "outbox synced", "uplink, broker, judged", "journal synced, output")
"""The way from a frame's capture to the barrier, in order, without the models."""
SYNCED = ("outbox synced", "journal synced, output")
"""What waits for the disk: before the message is sent, and before the barrier moves; the output only prints."""
BARE_BYTES = 4096
BARE_COUNT = 200
ROLL_S = 0.7
PAUSE_S = 0.5
DECISIONS = """
    SELECT p.epoch, p.seq, p.captured_mono_ns, p.captured_utc_ns, i.decided_mono_ns, r.decided_mono_ns
    FROM plates p
    JOIN decisions i ON i.pass = p.pass AND i.revision = p.revision AND i.phase = 'intent'
    JOIN decisions r ON r.pass = p.pass AND r.revision = p.revision AND r.phase = 'result'
"""
Row = dict[str, Any]


def rows(cars: int = CARS) -> list[Row]:
    """Measure; takes about three minutes. Raises SessionError without Mosquitto."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise SessionError("latency: mosquitto is not installed; on Debian apt-get install mosquitto brings it.")
    with tempfile.TemporaryDirectory(prefix="platefleet-bench-") as folder:
        stages = _measure(Path(folder), program, cars)
        stages["bare"] = bare_ms(Path(folder) / "bare")
    return [*_totals(stages), *_shares(stages, _eyes_ms())]


def _measure(folder: Path, program: str, cars: int) -> dict[str, list[float]]:
    """Let the cars come; return the milliseconds of each stage, car by car, and how late a nap beside them ended."""
    plates = [f"L{number:05}" for number in range(cars)]
    with LatencySite(folder, program, plates) as site, Probe() as probe:
        visits = list(_visits(plates, time.time() + 1.0))
        Plan(folder / "plan.json").write(visits)
        time.sleep(max(0.0, visits[-1].gone_s + 2.0 - time.time()))
        site.end_device()
        kept = _kept(folder / "device.log")
        with contextlib.closing(sqlite3.connect(folder / "store.db")) as database:
            found = database.execute(DECISIONS).fetchall()
    stages: dict[str, list[float]] = {name: [] for name in (*PARTS, "decision", "opened")}
    quiet: list[float] = []
    for epoch, seq, captured_ns, captured_utc_ns, intent_ns, result_ns in found:
        line = kept[epoch, seq]
        durable_ns = line["at_ns"] - captured_utc_ns
        synced_ns = line["synced_ns"]
        spent_ns = (
            line["handed_over_ns"],
            durable_ns - line["handed_over_ns"] - synced_ns,
            synced_ns,
            intent_ns - captured_ns - durable_ns,
            result_ns - intent_ns,
            intent_ns - captured_ns,
            result_ns - captured_ns,
        )
        for name, ns in zip(stages, spent_ns, strict=True):
            stages[name].append(ns / MILLISECOND_NS)
        if probe.quiet(captured_ns, result_ns):
            quiet.append((intent_ns - captured_ns) / MILLISECOND_NS)
    if len(found) < cars * 0.9:
        raise SessionError(
            f"latency: {len(found)} of {cars} cars were decided; this machine is too busy to measure on."
        )
    return {**stages, "quiet": quiet, "nap": probe.late_ms}


def _visits(plates: Sequence[str], begin_s: float) -> Iterator[Visit]:
    """Yield cars that roll through without standing, in columns, each a bit after its neighbour."""
    wide = WIDTH / COLUMNS
    for number, plate in enumerate(plates):
        row, column = divmod(number, COLUMNS)
        appears_s = begin_s + row * (2 * ROLL_S + PAUSE_S) + column * (2 * ROLL_S + PAUSE_S) / COLUMNS
        yield Visit(
            plate, appears_s, appears_s + ROLL_S, rolls_s=ROLL_S, x=(column + 0.5) * wide, width=min(wide * 0.9, HEIGHT)
        )


def _kept(log: Path) -> dict[tuple[str, int], Row]:
    """Return what the agent's log, written beside its outbox, says of each record."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return {(line["epoch"], line["seq"]): line for line in lines if line["kind"] == "record"}


def _totals(stages: dict[str, list[float]]) -> list[Row]:
    """Return the whole way, and how far it is the machine's: what else runs on it makes every program late."""
    goal = {"goal_p99_ms": GOAL_P99_MS}
    return [
        {"stage": "capture to decision", **_percentiles(stages["decision"]), **goal},
        {"stage": "… of cars that came while no nap was late", **_percentiles(stages["quiet"]), **goal},
        {"stage": "capture to barrier told", **_percentiles(stages["opened"])},
        {"stage": "fsync's share of capture to decision", **_synced(stages, SYNCED[:1], "decision")},
        {"stage": "fsync's share of capture to barrier told", **_synced(stages, SYNCED, "opened")},
        {"stage": "(a bare write and fdatasync on that disk, afterwards)", **_percentiles(stages["bare"])},
        {"stage": "(how late a nap of 5 ms ended beside it)", **_percentiles(stages["nap"])},
    ]


def _synced(stages: dict[str, list[float]], parts: Sequence[str], whole: str) -> Row:
    """Return what waiting for the disk costs, and how much of the whole that is."""
    waited = [sum(ms) for ms in zip(*(stages[part] for part in parts), strict=True)]
    share = sum(waited) / sum(stages[whole])
    return {**_percentiles(waited), "share_percent": round(100 * share, 1)}


def bare_ms(path: Path) -> list[float]:
    """Return the milliseconds of appending a page to a file and syncing it, time after time."""
    took: list[float] = []
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(BARE_COUNT):
            began_ns = time.monotonic_ns()
            os.write(file, bytes(BARE_BYTES))
            os.fdatasync(file)
            took.append((time.monotonic_ns() - began_ns) / MILLISECOND_NS)
    finally:
        os.close(file)
    return took


def _shares(stages: dict[str, list[float]], eyes: dict[str, list[float]]) -> list[Row]:
    """Return each stage with its share of the mean whole; eyes are what the models cost on a barrier photo."""
    parts = {f"models: {name}": ms for name, ms in eyes.items()}
    parts |= {name: stages[name] for name in PARTS}
    whole = sum(statistics.fmean(ms) for ms in parts.values())
    return [
        {"stage": name, **_percentiles(ms), "share_percent": round(100 * statistics.fmean(ms) / whole, 1)}
        for name, ms in parts.items()
    ]


def _eyes_ms() -> dict[str, list[float]]:
    """Return milliseconds of each stage of the real pipeline on the barrier photos; nothing without its materials."""
    try:
        from platefleet.models.pictures import read_picture  # noqa: PLC0415 - extras, loaded when used
        from platefleet.models.pipeline import open_pipeline  # noqa: PLC0415
        from platefleet.models.weights import materials  # noqa: PLC0415

        kept = materials(photos=True)
        with contextlib.closing(open_pipeline(kept.vehicle, kept.plate, kept.reader)) as pipeline:
            frames = [read_picture(path) for path in kept.photos]
            pipeline.look(frames[0])  # the first one pays for memory
            looks = [pipeline.look(frame).ms for frame in frames]
    except (MissingExtra, WeightsError):
        return {}
    return {name: [look[name] for look in looks] for name in ("vehicle", "plate", "read")}


def _percentiles(values: Sequence[float]) -> Row:
    if len(values) < 2:
        return {"count": len(values)}
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    figures = {"p50_ms": cuts[49], "p99_ms": cuts[98], "mean_ms": statistics.fmean(values)}
    return {**{name: round(value, 2) for name, value in figures.items()}, "count": len(values)}
