"""The tables of schema version 2, in SQL that SQLite and PostgreSQL both take; `fleet/migrations/` makes them.

Who a record is from is always `(device, epoch, seq)`. A stamp is kept whole (UTC, monotonic, boot, clock state), so
that what a device without a clock battery said in 1970 can be corrected when it learns the time. Pictures are not
stored twice: they stay in their record's frame (at most 128 KiB), and `crops` says where they are. PostgreSQL has
`records` in partitions by device and no foreign keys (docs/store.md says why).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

SCHEMA_VERSION = 2
METADATA = MetaData()


def _name() -> list[Column[str] | Column[int]]:
    return [
        Column("device", String(64), primary_key=True),
        Column("epoch", String(32), primary_key=True),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
    ]


def _of_record() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["device", "epoch", "seq"], ["records.device", "records.epoch", "records.seq"], ondelete="CASCADE"
    )


def _stamp(prefix: str) -> list[Column[str] | Column[int]]:
    return [
        Column(f"{prefix}_utc_ns", BigInteger, nullable=False),
        Column(f"{prefix}_mono_ns", BigInteger, nullable=False),
        Column(f"{prefix}_boot", String(64), nullable=False),
        Column(f"{prefix}_clock", String(16), nullable=False),
    ]


store = Table(
    "store",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),  # always 1: the table has one row
    Column("id", String(64), nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("created_utc_ns", BigInteger, nullable=False),
)

records = Table(
    "records",
    METADATA,
    *_name(),
    Column("type", String(64), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("frame", LargeBinary, nullable=False),
    Column("received_utc_ns", BigInteger, nullable=False),
    Index("records_by_age", "device", "type", "received_utc_ns"),
)

epochs = Table(
    "epochs",
    METADATA,
    *_name(),
    *_stamp("opened"),
    Column("volatile", Boolean, nullable=False),
    _of_record(),
)

epoch_ends = Table(
    "epoch_ends",
    METADATA,
    Column("device", String(64), primary_key=True),
    Column("epoch", String(32), primary_key=True),  # the epoch that says so
    Column("previous", String(32), primary_key=True),
    Column("last", BigInteger, nullable=False),
)

plates = Table(
    "plates",
    METADATA,
    *_name(),
    Column("lane", String(64), nullable=False),
    Column("pass", String(36), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("interrupted", Boolean, nullable=False),
    Column("text", String(12), nullable=False),
    Column("mean", Float, nullable=False),
    Column("minimum", Float, nullable=False),
    Column("unread", String(32)),
    Column("direction", String(16), nullable=False),
    Column("vehicle", String(64)),
    Column("frames", BigInteger, nullable=False),
    *_stamp("captured"),
    *_stamp("first_seen"),
    _of_record(),
    Index("plates_by_pass", "pass", "revision"),
    Index("plates_by_lane", "device", "lane", "captured_utc_ns"),
    Index("plates_by_text", "text", "captured_utc_ns"),
    Index("plates_by_time", "captured_utc_ns"),
)
Index(  # few rows: what devices told before their clock was good
    "plates_unsynced",
    plates.c.device,
    plates.c.captured_boot,
    plates.c.captured_mono_ns,
    sqlite_where=plates.c.captured_clock == "unsynced",
    postgresql_where=plates.c.captured_clock == "unsynced",
)

crops = Table(
    "crops",
    METADATA,
    *_name(),
    Column("pass", String(36), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("plate_bytes", Integer, nullable=False),
    Column("vehicle_bytes", Integer, nullable=False),
    *_stamp("captured"),
    _of_record(),
    Index("crops_by_pass", "pass", "revision"),
)

decisions = Table(
    "decisions",
    METADATA,
    *_name(),  # device: the gate whose outbox holds the decision
    Column("phase", String(16), nullable=False),
    Column("verdict", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("subject", String(64)),  # the device that told of the pass
    Column("lane", String(64), nullable=False),
    Column("pass", String(36)),
    Column("revision", Integer, nullable=False),
    Column("text", String(12), nullable=False),
    Column("entry", String(64)),
    Column("output", String(64)),
    Column("age_ms", BigInteger),
    Column("took_ms", BigInteger, nullable=False),
    *_stamp("decided"),
    _of_record(),
    Index("decisions_by_pass", "pass"),
    Index("decisions_by_lane", "device", "lane", "decided_utc_ns"),
)

coverage = Table(
    "coverage",
    METADATA,
    Column("device", String(64), primary_key=True),
    Column("epoch", String(32), primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
)

gone = Table(
    "gone",
    METADATA,
    Column("device", String(64), primary_key=True),
    Column("epoch", String(32), primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, primary_key=True, autoincrement=False),
    Column("reason", String(16), primary_key=True),
    Column("told_utc_ns", BigInteger, nullable=False),
)

quarantine = Table(
    "quarantine",
    METADATA,
    *_name(),
    Column("reason", Text, nullable=False),
    _of_record(),
)

clashes = Table(
    "clashes",
    METADATA,
    *_name(),
    Column("digest", LargeBinary(32), primary_key=True),  # of the record that was turned away
    Column("frame", LargeBinary),  # null beyond the bound
    Column("received_utc_ns", BigInteger, nullable=False),
)

boots = Table(
    "boots",
    METADATA,
    Column("device", String(64), primary_key=True),
    Column("boot", String(64), primary_key=True),
    Column("utc_minus_mono_ns", BigInteger, nullable=False),  # by a stamp of this boot whose clock was good
)
