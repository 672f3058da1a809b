"""Raises alarms and calls people: keeps them in the console's database, delivers each until it was taken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import insert, select, update

from platefleet.fleet.console.alarms import Key, Limits, Trouble, turned, wrong
from platefleet.fleet.console.asked import Asked
from platefleet.fleet.console.database import ConsoleDatabase
from platefleet.fleet.console.known import known_of
from platefleet.fleet.console.tables import alarm
from platefleet.protocol.clock import Clock
from platefleet.protocol.errors import GateError, StoreError

LOG = logging.getLogger(__name__)
LOOK_NS = 5_000_000_000
GAP_NS = 30_000_000_000
"""Not having looked for so long means that nothing was heard meanwhile: the service or its broker was away."""
AGAIN_S = 30.0
"""A receiver that did not take an alarm is tried again after so long."""


class Receiver(Protocol):
    """Whoever calls a person. Raises GateError if that cannot be said."""

    def send(self, fields: Mapping[str, str]) -> None:
        """Deliver one alarm."""
        ...


class Alarms:
    """`look` is a chore of the console; delivery has a thread of its own, since a receiver may hang."""

    def __init__(
        self,
        database: ConsoleDatabase,
        limits: Limits,
        receiver: Receiver | None,
        *,
        clock: Clock,
        look_ns: int = LOOK_NS,
        again_s: float = AGAIN_S,
    ) -> None:
        """receiver: None: alarms are logged and kept, nobody is called."""
        self._database, self._asked = database, Asked(database)
        self._limits, self._receiver = limits, receiver
        self._clock, self._look_ns, self._again_s = clock, look_ns, again_s
        self._first_ns: dict[Key, int] = {}
        self._looked_ns = self._listening_ns = 0
        self._some, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._deliver, name="console alarms", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        if self._receiver is not None:
            self._some.set()  # what an earlier run could not deliver
            self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """End."""
        self._stop.set()
        self._some.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def look(self, now_ns: int) -> None:
        """Compare what is wrong with the alarms that last. Raises StoreError."""
        if 0 <= now_ns - self._looked_ns < self._look_ns:
            return
        if not 0 <= now_ns - self._looked_ns <= GAP_NS:
            self._listening_ns, self._first_ns = now_ns, {}
        self._looked_ns = now_ns
        lasting = {(row.device, row.kind, row.what): row.id for row in self._lasting()}
        devices = [known_of(row) for row in self._asked.devices()]
        found = list(wrong(devices, now_ns, self._limits, listening_ns=self._listening_ns, lasting=lasting.keys()))
        self._first_ns = {trouble.key: self._first_ns.get(trouble.key, now_ns) for trouble in found}
        change = turned(found, self._first_ns, lasting, now_ns)
        if not (change.began or change.ended):
            return
        with self._database.begin() as connection:
            for trouble in change.began:
                connection.execute(insert(alarm), _row(trouble, self._first_ns[trouble.key]))
            for key in change.ended:
                connection.execute(update(alarm).where(alarm.c.id == lasting[key]).values(until_ns=now_ns))
        for trouble in change.began:
            LOG.error("alarm: %s", trouble.says)
        for key in change.ended:
            LOG.info("alarm over: %s", " ".join(filter(None, key)))
        self._some.set()

    def _lasting(self) -> list[Any]:
        with self._database.begin() as connection:
            return list(connection.execute(select(alarm).where(alarm.c.until_ns.is_(None))).all())

    def _deliver(self) -> None:
        while not self._stop.is_set():
            self._some.wait()
            self._some.clear()
            while not self._stop.is_set() and not self._deliver_all():
                self._stop.wait(self._again_s)

    def _deliver_all(self) -> bool:
        """Deliver what was not taken yet; whether nothing is left."""
        assert self._receiver is not None  # the thread is not started without
        try:
            with self._database.begin() as connection:
                rows = connection.execute(select(alarm).where(alarm.c.told_ns.is_(None)).order_by(alarm.c.id)).all()
            for row in rows:
                if self._stop.is_set():
                    return True
                self._receiver.send({"device": row.device, "kind": row.kind, "what": row.what, "problem": row.says})
                with self._database.begin() as connection:
                    told = update(alarm).where(alarm.c.id == row.id).values(told_ns=self._clock.now().utc_ns)
                    connection.execute(told)
        except (GateError, StoreError) as error:
            LOG.error("an alarm could not be delivered and is tried again: %s", error)
            return False
        return True


def _row(trouble: Trouble, since_ns: int) -> dict[str, object]:
    return {
        "device": trouble.device,
        "kind": trouble.kind,
        "what": trouble.what,
        "says": trouble.says,
        "since_ns": since_ns,
    }
