"""Lets a device live through nights in Europe/Berlin, by a clock that is turned; a seed for everything that happens."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from platefleet.agent.settings.commands import RULES
from platefleet.models.artifacts.activation import activated
from platefleet.models.artifacts.passport import Recipe
from platefleet.protocol.clock import SECOND_NS
from platefleet.protocol.messages import Window
from platefleet.protocol.messages.desired import Span
from tests.night_device import NightDevice
from tests.night_stage import MINUTE_NS, NEW, OLD, NightClock, PowerCut, Script, engine
from tests.trust_builders import a_trust, adopted, trusted

ZONE = ZoneInfo("Europe/Berlin")
CHANGES = (date(2027, 3, 28), date(2027, 10, 31))
OPENS, ENDS = (22, 30), (4, 30)
QUIET_S, GRACE_S = 300, 300
TICK_S = 5.0
CAR_S = 25
"""So long a car is there."""
RULES_DAYS = {"benchmark": 7, "evaluate": 10, "prune": 7}


@dataclass
class Night:
    """One night's figures. day: on which it began."""

    day: date
    cars: int = 0
    cuts: int = 0
    begun: list[str] = field(default_factory=list)


@dataclass
class Lived:
    """What was seen. cars: when each came, true time; cuts: when the power went."""

    device: NightDevice
    first: date
    days: int
    off: frozenset[date]
    cars: list[int]
    trouble: list[tuple[int, int, str]]
    upgraded_ns: int
    cuts: list[int] = field(default_factory=list)
    boots: list[int] = field(default_factory=list)
    up: list[tuple[int, int]] = field(default_factory=list)
    """When the device was up: from when it knew the time, to when."""


def moment(day: date, hour: int, minute: int = 0) -> int:
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE).timestamp()) * SECOND_NS


def is_open(ns: int, off: frozenset[date]) -> bool:
    """Whether heavy work may run, said in another way than the program does: by the wall clock alone."""
    wall = datetime.fromtimestamp(ns // SECOND_NS, ZONE)
    at = (wall.hour, wall.minute)
    if at >= OPENS:
        return wall.date() not in off
    return at < ENDS and wall.date() - timedelta(days=1) not in off


def traffic(throw: random.Random, first: date, days: int) -> list[int]:
    """Return when cars come: rush hours, single ones at night, one night in five without a pause."""
    found = []
    for number in range(days + 1):
        day, busy = first + timedelta(days=number), throw.random() < 0.2
        at, end = moment(day, 0), moment(day + timedelta(days=1), 0)
        while at < end:
            hour = datetime.fromtimestamp(at // SECOND_NS, ZONE).hour
            night = hour >= 22 or hour < 5
            mean_s = 130 if night and busy else 2400 if night else 60 if hour in {7, 8, 16, 17, 18} else 400
            at += round(throw.expovariate(1 / mean_s) * SECOND_NS) + SECOND_NS
            found.append(at)
    return sorted(found)  # a day's last one may come after the next day's first


def live(folder: Path, days: int, seed: int) -> Lived:
    """Let a device live through so many nights."""
    throw = random.Random(seed)
    first = CHANGES[seed % 2] - timedelta(days=days // 2)
    begin_ns = moment(first, 12)
    end_ns = moment(first + timedelta(days=days), 12)
    off = frozenset({first + timedelta(days=days // 3)} if days > 5 else ())
    clock = NightClock(begin_ns)
    keys = trusted("ada", role="administrator", since=0, until=end_ns + 10**18)
    every = RULES_DAYS if days > 5 else {"benchmark": 1, "evaluate": 2, "prune": 1}
    rules = tuple(each.model_copy(update={"every_days": every.get(each.name)}) for each in RULES)
    window = Window(
        zone=ZONE.key,
        spans=(Span(start="22:30", end="04:30"),),
        days_off=tuple(day.isoformat() for day in off),
        quiet_s=QUIET_S,
        grace_s=GRACE_S,
    )
    trust = adopted(a_trust(1, keys, issued=begin_ns), now=begin_ns)
    device = NightDevice(folder, clock, Script(seed + 1), trust, window, rules)
    furnish(device)
    cars = traffic(throw, first, days)
    lived = Lived(
        device, first, days, off, cars, peaks(throw, first, days), moment(first + timedelta(days=days // 2), 12)
    )
    lived.boots.append(clock.true_ns)
    device.boot()
    _through(lived, throw, end_ns)
    return lived


def furnish(device: NightDevice) -> None:
    """Give the device a source, its baseline, and an engine that serves."""
    store, folder = device.host.store, device.folder
    weights = folder / "weights.onnx"
    weights.write_bytes(b"\x08\x08 weights")
    source = store.add_source("plate", weights)
    recipe = Recipe(role="plate", source=source, format="onnx", precision="fp32", size=416, batch=None)
    engine(device.host, recipe, "baseline")
    serves = engine(device.host, recipe.model_copy(update={"format": "tensorrt", "precision": "fp16", "batch": 1}))
    store.choose("plate", lambda now: activated(now, serves))


def peaks(throw: random.Random, first: date, days: int) -> list[tuple[int, int, str]]:
    """Return hours in which the machine is hot or short of memory."""
    found = []
    for number in range(days):
        if throw.random() < 0.4:
            begin = moment(first + timedelta(days=number), 22) + throw.randrange(0, 360) * MINUTE_NS
            found.append((begin, begin + throw.randrange(10, 90) * MINUTE_NS, throw.choice(("hot", "memory"))))
    return found


def _through(lived: Lived, throw: random.Random, end_ns: int) -> None:
    device, clock = lived.device, lived.device.clock
    known_ns, next_car = clock.true_ns, 0
    synced_ns, cut_ns = clock.true_ns, _next_cut(throw, clock.true_ns)
    orders = 0
    while clock.true_ns < end_ns:
        if not clock.synced and clock.true_ns >= synced_ns:
            clock.synced, known_ns = True, clock.true_ns
        upgrade = device.host.machine_now == OLD and clock.true_ns >= lived.upgraded_ns
        try:
            if upgrade or clock.true_ns >= cut_ns:
                raise PowerCut
            now_ns = clock.true_ns
            next_car = _cars(lived, next_car)
            if clock.synced and now_ns >= moment(lived.first + timedelta(days=4 * orders), 14):
                order(device, orders)
                orders += 1
            device.tick()
        except PowerCut:
            device.cut()
            lived.cuts.append(clock.true_ns)
            if clock.synced:
                lived.up.append((known_ns, clock.true_ns))
            if upgrade:
                device.host.machine_now = NEW
            clock.true_ns += throw.randrange(20, 1800) * SECOND_NS
            clock.synced = False
            lived.boots.append(clock.true_ns)
            synced_ns, cut_ns = clock.true_ns + throw.randrange(20, 1200) * SECOND_NS, _next_cut(throw, clock.true_ns)
            device.boot()
            if throw.random() < 0.5:
                device.commits_left = throw.randrange(3, 60)
            continue
        clock.true_ns += _step(lived, next_car)
    device.cut()
    lived.up.append((known_ns, clock.true_ns))


def _cars(lived: Lived, next_car: int) -> int:
    """Let the device see the car that is there now, and how hot it is; return which car is next."""
    device, cars, now_ns = lived.device, lived.cars, lived.device.clock.true_ns
    while next_car < len(cars) and cars[next_car] + CAR_S * SECOND_NS < now_ns:
        next_car += 1
    if next_car < len(cars) and cars[next_car] <= now_ns:
        device.car()
    peak = {kind for begin, end, kind in lived.trouble if begin <= now_ns < end}
    device.weather.hot, device.weather.short = "hot" in peak, "memory" in peak
    return next_car


def order(device: NightDevice, number: int) -> None:
    """Let an operator order an INT8 build, another size each time, to be done within three days."""
    now_ns = device.clock.true_ns
    arguments = {"role": "plate", "format": "tensorrt", "precision": "int8", "size": 320 + 32 * number}
    device.device.send("build", arguments=arguments, not_after=now_ns + 3 * 86_400 * SECOND_NS)


def _next_cut(throw: random.Random, now_ns: int) -> int:
    """Return when the power goes next: in a night or two as a rule, any minute of it; at times by day."""
    at_ns = now_ns + round(throw.expovariate(1 / 1.5) * 86_400) * SECOND_NS
    wall = datetime.fromtimestamp(at_ns // SECOND_NS, ZONE)
    return at_ns if throw.random() < 0.3 else moment(wall.date(), 22, 30) + throw.randrange(0, 360) * MINUTE_NS


def _step(lived: Lived, next_car: int) -> int:
    """Return how far the clock is turned: finely where something happens, never past a car, an opening or an end."""
    device, now_ns = lived.device, lived.device.clock.true_ns
    car_ns = lived.cars[next_car] if next_car < len(lived.cars) else 1 << 62
    busy = bool(device.device.commands._tries.threads) or car_ns <= now_ns
    if busy:
        return round(TICK_S * SECOND_NS)
    open_now = is_open(now_ns, lived.off)
    step_ns = MINUTE_NS if open_now or not device.clock.synced else 15 * MINUTE_NS - now_ns % (15 * MINUTE_NS)
    return max(min(step_ns, car_ns - now_ns), SECOND_NS)
