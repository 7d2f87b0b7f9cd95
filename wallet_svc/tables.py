"""The schema of the wallets' database, as the migrations leave it (a test compares the two)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    MetaData,
    Numeric,
    Table,
    Text,
    text,
)

from audit_log import schema as audit_log

METADATA = MetaData()

_MONEY = Numeric(19, 4)
_TIME = DateTime(timezone=True)

WALLETS = Table(
    "wallets",
    METADATA,
    Column("wallet_id", Text(collation="C"), primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("pending", _MONEY, nullable=False),
    Column("available", _MONEY, nullable=False),
    Column("held", _MONEY, nullable=False),
    Column("operation_count", BigInteger, nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("account_type", Text, nullable=False),
    Column("credit_limit", _MONEY, nullable=False),
    Column("version", BigInteger, nullable=False),
)

WALLET_CHANGES = Table(
    "wallet_changes",
    METADATA,
    Column("wallet_id", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("what", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("changed_at", _TIME, nullable=False),
)

CLAIMS = Table(
    "claims",
    METADATA,
    Column("operation_id", Text, primary_key=True),
    Column("wallet_id", Text),
    Column("wallet_sequence", BigInteger),
    Column("closed_at", _TIME),
)

OPERATIONS = Table(
    "operations",
    METADATA,
    Column("operation_id", Text, nullable=False),
    Column("wallet_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("amount", _MONEY, nullable=False),
    Column("currency", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("pending_change", _MONEY, nullable=False),
    Column("available_change", _MONEY, nullable=False),
    Column("held_change", _MONEY, nullable=False),
    Column("pending_after", _MONEY, nullable=False),
    Column("available_after", _MONEY, nullable=False),
    Column("held_after", _MONEY, nullable=False),
    Column("wallet_sequence", BigInteger, primary_key=True),
    Column("wallet_version", BigInteger, nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("refers_to", Text, nullable=False),
    Column("releases_rest", Boolean, nullable=False),
    Index("operations_subject_id", "subject_id", "wallet_id"),
    Index("operations_created_at", "created_at"),
)

_IS_OPEN = text("status = 'OPEN'")

HOLDS = Table(
    "holds",
    METADATA,
    Column("hold_id", Text, primary_key=True),
    Column("wallet_id", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", _MONEY, nullable=False),
    Column("open_amount", _MONEY, nullable=False),
    Column("captured_amount", _MONEY, nullable=False),
    Column("released_amount", _MONEY, nullable=False),
    Column("status", Text, nullable=False),
    Column("expires_at", _TIME),
    Column("created_at", _TIME, nullable=False),
    Index("holds_wallet_id", "wallet_id", "created_at", "hold_id"),
    Index("holds_open", "wallet_id", "created_at", "hold_id", postgresql_where=_IS_OPEN),
    Index("holds_due", "expires_at", "hold_id", postgresql_where=_IS_OPEN),
)

audit_log.describe(METADATA)
