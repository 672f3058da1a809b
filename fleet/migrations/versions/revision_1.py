"""Revision 1: records, what they say, coverage. Before it there is nothing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None

PARTITIONS = 16
TABLES = ("clashes", "quarantine", "gone", "coverage", "decisions", "crops", "plates", "epoch_ends", "epochs")


def upgrade() -> None:
    """Make the tables; `store` stays empty, for whoever made the database to name it."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "store",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("created_utc_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "records",
        *_name(),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("frame", sa.LargeBinary, nullable=False),
        sa.Column("received_utc_ns", sa.BigInteger, nullable=False),
        postgresql_partition_by="HASH (device)",
    )
    if on_postgresql:
        op.execute("ALTER TABLE records ALTER COLUMN frame SET STORAGE EXTERNAL")  # pictures do not become smaller
        for number in range(PARTITIONS):
            op.execute(
                f"CREATE TABLE records_{number:02} PARTITION OF records "
                f"FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number}) WITH (toast_tuple_target = 8160)"
            )
    _make_projections(owned=not on_postgresql)
    _make_delivery(owned=not on_postgresql)


def downgrade() -> None:
    """Take everything away."""
    for table in (*TABLES, "records", "store"):
        op.drop_table(table)


def _make_projections(*, owned: bool) -> None:
    op.create_table(
        "epochs", *_name(), *_stamp("opened"), sa.Column("volatile", sa.Boolean, nullable=False), *_of_record(owned)
    )
    op.create_table(
        "epoch_ends",
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("epoch", sa.String(32), primary_key=True),
        sa.Column("previous", sa.String(32), primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "plates",
        *_name(),
        sa.Column("lane", sa.String(64), nullable=False),
        sa.Column("pass", sa.String(36), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("final", sa.Boolean, nullable=False),
        sa.Column("interrupted", sa.Boolean, nullable=False),
        sa.Column("text", sa.String(12), nullable=False),
        sa.Column("mean", sa.Float, nullable=False),
        sa.Column("minimum", sa.Float, nullable=False),
        sa.Column("unread", sa.String(32)),
        sa.Column("direction", sa.String(16), nullable=False),
        sa.Column("vehicle", sa.String(64)),
        sa.Column("frames", sa.BigInteger, nullable=False),
        *_stamp("captured"),
        *_stamp("first_seen"),
        *_of_record(owned),
    )
    op.create_index("plates_by_pass", "plates", ["pass", "revision"])
    op.create_index("plates_by_lane", "plates", ["device", "lane", "captured_utc_ns"])
    op.create_index("plates_by_text", "plates", ["text", "captured_utc_ns"])
    op.create_table(
        "crops",
        *_name(),
        sa.Column("pass", sa.String(36), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("plate_bytes", sa.Integer, nullable=False),
        sa.Column("vehicle_bytes", sa.Integer, nullable=False),
        *_stamp("captured"),
        *_of_record(owned),
    )
    op.create_index("crops_by_pass", "crops", ["pass", "revision"])
    op.create_table(
        "decisions",
        *_name(),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("subject", sa.String(64)),
        sa.Column("lane", sa.String(64), nullable=False),
        sa.Column("pass", sa.String(36)),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("text", sa.String(12), nullable=False),
        sa.Column("entry", sa.String(64)),
        sa.Column("output", sa.String(64)),
        sa.Column("age_ms", sa.BigInteger),
        sa.Column("took_ms", sa.BigInteger, nullable=False),
        *_stamp("decided"),
        *_of_record(owned),
    )
    op.create_index("decisions_by_pass", "decisions", ["pass"])
    op.create_index("decisions_by_lane", "decisions", ["device", "lane", "decided_utc_ns"])


def _make_delivery(*, owned: bool) -> None:
    op.create_table(
        "coverage",
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("epoch", sa.String(32), primary_key=True),
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
    )
    if not owned:  # PostgreSQL: the newest range of each epoch grows with every commit, in its place
        op.execute("ALTER TABLE coverage SET (fillfactor = 50)")
    op.create_table(
        "gone",
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("epoch", sa.String(32), primary_key=True),
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("reason", sa.String(16), primary_key=True),
        sa.Column("told_utc_ns", sa.BigInteger, nullable=False),
    )
    op.create_table("quarantine", *_name(), sa.Column("reason", sa.Text, nullable=False), *_of_record(owned))
    op.create_table(
        "clashes",
        *_name(),
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("frame", sa.LargeBinary),
        sa.Column("received_utc_ns", sa.BigInteger, nullable=False),
    )


def _name() -> list[sa.Column[str] | sa.Column[int]]:
    return [
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("epoch", sa.String(32), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    ]


def _stamp(prefix: str) -> list[sa.Column[str] | sa.Column[int]]:
    return [
        sa.Column(f"{prefix}_utc_ns", sa.BigInteger, nullable=False),
        sa.Column(f"{prefix}_mono_ns", sa.BigInteger, nullable=False),
        sa.Column(f"{prefix}_boot", sa.String(64), nullable=False),
        sa.Column(f"{prefix}_clock", sa.String(16), nullable=False),
    ]


def _of_record(owned: bool) -> list[sa.ForeignKeyConstraint]:
    """Return the constraint that a row goes with its record, or none where the database has no such constraints."""
    names = ["device", "epoch", "seq"]
    there = [f"records.{name}" for name in names]
    return [sa.ForeignKeyConstraint(names, there, ondelete="CASCADE")] if owned else []
