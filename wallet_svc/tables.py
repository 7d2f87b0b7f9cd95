"""The schema of the wallets' database, as the migrations leave it (a test compares the two)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData()

WALLETS = Table(
    "wallets",
    METADATA,
    Column("wallet_id", Text, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("pending", Numeric(19, 4), nullable=False),
    Column("available", Numeric(19, 4), nullable=False),
    Column("held", Numeric(19, 4), nullable=False),
    Column("operation_count", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

CLAIMS = Table(
    "claims",
    METADATA,
    Column("operation_id", Text, primary_key=True),
    Column("is_closed", Boolean, nullable=False),
    Column("claimed_at", DateTime(timezone=True), nullable=False),
)

OPERATIONS = Table(
    "operations",
    METADATA,
    Column("operation_id", Text, ForeignKey("claims.operation_id"), primary_key=True),
    Column("wallet_id", Text, ForeignKey("wallets.wallet_id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("amount", Numeric(19, 4), nullable=False),
    Column("currency", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("pending_change", Numeric(19, 4), nullable=False),
    Column("available_change", Numeric(19, 4), nullable=False),
    Column("pending_after", Numeric(19, 4), nullable=False),
    Column("available_after", Numeric(19, 4), nullable=False),
    Column("held_after", Numeric(19, 4), nullable=False),
    Column("wallet_sequence", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("reverses", Text, nullable=False),
    UniqueConstraint("wallet_id", "wallet_sequence", name="operations_wallet_sequence"),
    Index("operations_subject_id", "subject_id", "wallet_id"),
    Index("operations_created_at", "created_at"),
)
