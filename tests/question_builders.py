"""A store to ask, on each database: filled through the real commit, and read as the commands read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, delete, insert, inspect, select

from platefleet.fleet.questions.clocks import BOOTS
from platefleet.fleet.questions.reading import Reader
from platefleet.fleet.store import tables
from platefleet.fleet.store.opening import open_store
from platefleet.fleet.store.port import Arrival, Batch, GoneTold
from platefleet.protocol.clock import SECOND_NS, SystemClock
from platefleet.protocol.codec import encode
from platefleet.protocol.delivery.frame import freeze
from platefleet.protocol.ids import uuid7
from platefleet.protocol.messages import Gone, Message, PlateEvent, Stamp
from tests.record_builders import STAMP, a_pass, an_epoch

NOON_S = 1_795_003_200
"""2026-11-18T12:00:00Z."""
BOOTS_TABLE = """CREATE TABLE boots (
    device VARCHAR(64), boot VARCHAR(64), utc_minus_mono_ns BIGINT, PRIMARY KEY (device, boot)
)"""


def a_stamp(at_s: float = 0, clock: str = "synced", boot: str = "boot-1") -> Stamp:
    """A moment `at_s` after noon; by an unset clock, that long after 1970 and after its boot."""
    after_ns = round(at_s * SECOND_NS)
    if clock == "unsynced":
        return Stamp(utc_ns=after_ns, mono_ns=after_ns, boot=boot, clock="unsynced")
    return STAMP.model_copy(update={"utc_ns": NOON_S * SECOND_NS + after_ns, "mono_ns": after_ns, "boot": boot})


def pass_id(number: int) -> str:
    return uuid7(NOON_S * 1000 + number, number.to_bytes(10, "big"))


def an_event(
    plate: str, number: int = 1, at_s: float | None = None, stamp: Stamp | None = None, **more: Any
) -> PlateEvent:
    """A revision of the pass `number`, taken `at_s` (its number) after noon."""
    captured = stamp or a_stamp(number if at_s is None else at_s)
    update = {"captured": captured, "first_seen": captured, **more}
    return a_pass(plate, pass_id=pass_id(number)).model_copy(update=update)


def kept(
    body: Message | bytes,
    seq: int,
    *,
    device: str = "north-1",
    epoch: int = 1,
    type: str = "plate",  # noqa: A002
    at_s: float = 0,
) -> Arrival:
    """A record as ingest hands it in, received `at_s` after noon."""
    content, message = (body, None) if isinstance(body, bytes) else (encode(body), body)
    record = freeze(an_epoch(epoch), seq, type, content)
    return Arrival(device, record, received_utc_ns=NOON_S * SECOND_NS + round(at_s * SECOND_NS), message=message)


class Site:
    """A store. Every record goes through the real commit; `url` says where it is to be read.

    elsewhere: the URL of another database, to which everything that a commit wrote is brought, row by row.
    """

    def __init__(self, folder: Path, elsewhere: str = "") -> None:
        here = f"sqlite:///{folder}/store.db"
        self.url = elsewhere or here
        self._store = open_store(here, clock=SystemClock())
        self._here = create_engine(here)
        self._elsewhere = create_engine(elsewhere.replace("postgresql:", "postgresql+psycopg:")) if elsewhere else None
        with self._here.connect() as connection:
            self._boots = inspect(connection).has_table("boots")
        if self._elsewhere is not None:
            with self._elsewhere.begin() as connection:
                if "boots" not in tables.METADATA.tables:
                    connection.exec_driver_sql("DROP TABLE IF EXISTS boots")
                tables.METADATA.create_all(connection)
        self._mirror()

    def commit(self, *arrivals: Arrival, gone: tuple[GoneTold, ...] = ()) -> None:
        self._store.commit(Batch(arrivals, gone))
        self._mirror()

    def gone(self, first: int, last: int, reason: str = "quota", *, epoch: int = 1, at_s: float = 0) -> None:
        told = Gone.model_validate({"epoch": an_epoch(epoch), "first": first, "last": last, "reason": reason})
        self.commit(gone=(GoneTold("north-1", told, NOON_S * SECOND_NS + round(at_s * SECOND_NS)),))

    def learn(self, device: str, boot: str, utc_minus_mono_ns: int) -> None:
        """The store comes to know when a boot was."""
        if not self._boots:
            for engine in (self._here, self._elsewhere):
                if engine is not None:
                    with engine.begin() as connection:
                        connection.exec_driver_sql(BOOTS_TABLE)
            self._boots = True
        with self._here.begin() as connection:
            connection.execute(delete(BOOTS).where(BOOTS.c.device == device, BOOTS.c.boot == boot))
            values = {"device": device, "boot": boot, "utc_minus_mono_ns": utc_minus_mono_ns}
            connection.execute(insert(BOOTS).values(values))
        self._mirror()

    def reader(self) -> Reader:
        return Reader(self.url)

    def close(self) -> None:
        self._store.close()
        for engine in (self._here, self._elsewhere):
            if engine is not None:
                engine.dispose()

    def _mirror(self) -> None:
        if self._elsewhere is None:
            return
        copied: list[Any] = [table for table in tables.METADATA.sorted_tables if table.name != "boots"]
        copied += [BOOTS] if self._boots else []
        with self._here.connect() as here, self._elsewhere.begin() as there:
            for table in reversed(copied):
                there.execute(delete(table))
            for table in copied:
                rows = [dict(row) for row in here.execute(select(table)).mappings()]
                if rows:
                    there.execute(insert(table), rows)
