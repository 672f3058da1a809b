"""Revision 2: what each boot's clock was behind by, learnt from what is there; indexes for what is old and for time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"

STAMPED = (
    ("epochs", "opened"),
    ("plates", "captured"),
    ("plates", "first_seen"),
    ("crops", "captured"),
    ("decisions", "decided"),
)


def upgrade() -> None:
    """Make `boots` and fill it: a clock that the kernel kept in step goes before one that a person vouched for."""
    op.create_table(
        "boots",
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("boot", sa.String(64), primary_key=True),
        sa.Column("utc_minus_mono_ns", sa.BigInteger, nullable=False),
    )
    for clock in ("synced", "assumed"):
        for table, stamp in STAMPED:
            op.execute(
                f"INSERT INTO boots SELECT device, {stamp}_boot, max({stamp}_utc_ns - {stamp}_mono_ns) "  # noqa: S608
                f"FROM {table} WHERE {stamp}_clock = '{clock}' GROUP BY device, {stamp}_boot "  # the words above
                "ON CONFLICT DO NOTHING"
            )
    op.create_index("records_by_age", "records", ["device", "type", "received_utc_ns"])
    unsynced = sa.text("captured_clock = 'unsynced'")
    op.create_index("plates_by_time", "plates", ["captured_utc_ns"], if_not_exists=True)
    op.create_index(
        "plates_unsynced",
        "plates",
        ["device", "captured_boot", "captured_mono_ns"],
        if_not_exists=True,
        sqlite_where=unsynced,
        postgresql_where=unsynced,
    )


def downgrade() -> None:
    """Take all of it away; the stamps of the records still say all that was known."""
    op.drop_index("plates_unsynced", "plates")
    op.drop_index("plates_by_time", "plates")
    op.drop_index("records_by_age", "records")
    op.drop_table("boots")
