"""The schema of the ledger's database, as the migrations leave it (a test compares the two)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData()

ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("account_id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("floor", Numeric(19, 4)),
    Column("balance", Numeric(19, 4), nullable=False),
    Column("entry_count", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

CLAIMS = Table(
    "claims",
    METADATA,
    Column("reference", Text, primary_key=True),
    Column("is_closed", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("claimed_at", DateTime(timezone=True), nullable=False),
)

TRANSACTIONS = Table(
    "transactions",
    METADATA,
    Column("transaction_id", Text, primary_key=True),
    Column("reference", Text, ForeignKey("claims.reference"), nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("effective_at", DateTime(timezone=True), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("reverses_reference", Text, nullable=False),
    Index("transactions_subject_id", "subject_id", "transaction_id"),
)

ENTRIES = Table(
    "entries",
    METADATA,
    Column("transaction_id", Text, ForeignKey("transactions.transaction_id"), primary_key=True),
    Column("line", SmallInteger, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.account_id"), nullable=False),
    Column("side", Text, nullable=False),
    Column("amount", Numeric(19, 4), nullable=False),
    Column("currency", Text, nullable=False),
    Column("balance_after", Numeric(19, 4), nullable=False),
    Column("account_sequence", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("account_id", "account_sequence", name="entries_account_sequence"),
)
