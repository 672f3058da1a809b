"""The console's tables."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

SCHEMA_VERSION = 1
metadata = MetaData()
_LASTS = text("until_ns IS NULL")

console = Table(
    "console",
    metadata,
    Column("one", Integer, primary_key=True),
    Column("id", String(64), nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
)
device = Table(
    "console_device",
    metadata,
    Column("device", String(64), primary_key=True),
    Column("kind", String(16), nullable=False, server_default=""),
    Column("site", String(64), nullable=False, server_default=""),
    Column("labels", Text, nullable=False, server_default=""),
    Column("install", String(64), nullable=False, server_default=""),
    Column("choices", BigInteger, nullable=False, server_default="0"),
    Column("presence", String(16), nullable=False, server_default="unknown"),
    Column("incarnation", String(32), nullable=False, server_default=""),
    Column("presence_ns", BigInteger),
    Column("info", LargeBinary),
    Column("info_ns", BigInteger),
    Column("health", LargeBinary),
    Column("health_ns", BigInteger),
    Column("enrolled_ns", BigInteger),
    Column("retired_ns", BigInteger),
)
"""kind: agent or gate as its info says; empty: only its presence was heard (consoles and workers have one too).
labels: words with a space before and after each. choices: the highest version that the device reported or that was
given out here."""
command = Table(
    "console_command",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("device", String(64), nullable=False),
    Column("install", String(64), nullable=False),
    Column("operation", String(32), nullable=False),
    Column("arguments", Text, nullable=False),
    Column("operator", String(64), nullable=False),
    Column("issued_ns", BigInteger, nullable=False),
    Column("not_before_ns", BigInteger),
    Column("not_after_ns", BigInteger, nullable=False),
    Column("priority", Integer, nullable=False, server_default="5"),
    Column("envelope", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("number", BigInteger, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("updated_ns", BigInteger, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("sends", Integer, nullable=False, server_default="0"),
    Column("next_ns", BigInteger, nullable=False),
    Column("cancel", LargeBinary),
    Column("cancel_by", String(64)),
    Column("step", String(64)),
    Column("fraction", Float),
    Column("progress_ns", BigInteger),
    Index("console_command_due", "next_ns", postgresql_where=text("open"), sqlite_where=text("open")),
    Index("console_command_by_device", "device", "id"),
)
"""envelope, cancel: exactly the bytes that an operator signed; forwarded, never encoded again. A device's own commands,
by its rules, have an empty one."""
status = Table(
    "console_status",
    metadata,
    Column("command", String(36), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("heard_ns", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
desired = Table(
    "console_desired",
    metadata,
    Column("device", String(64), primary_key=True),
    Column("choices", BigInteger, nullable=False),
    Column("operator", String(64), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)
trust = Table(
    "console_trust",
    metadata,
    Column("version", BigInteger, primary_key=True),
    Column("ends_ns", BigInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)
alarm = Table(
    "console_alarm",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("device", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("what", String(64), nullable=False, server_default=""),
    Column("says", Text, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("until_ns", BigInteger),
    Column("told_ns", BigInteger),
    Index(
        "console_alarm_open", "device", postgresql_where=text("until_ns IS NULL"), sqlite_where=text("until_ns IS NULL")
    ),
)
