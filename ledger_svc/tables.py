"""The schema of the ledger's database, as the migrations leave it (a test compares the two)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from audit_log import schema as audit_log

METADATA = MetaData()

_AMOUNT = Numeric(19, 4)
_TIME = DateTime(timezone=True)

ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("account_id", Text(collation="C"), primary_key=True),
    Column("account_key", BigInteger, Identity(), nullable=False),
    Column("type", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("floor", _AMOUNT),
    Column("ceiling", _AMOUNT),
    Column("balance", _AMOUNT, nullable=False),
    Column("pending_in", _AMOUNT, nullable=False),
    Column("pending_out", _AMOUNT, nullable=False),
    Column("entry_count", BigInteger, nullable=False),
    Column("last_entry_at", _TIME, nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("metadata", JSONB, nullable=False),
    UniqueConstraint("account_key", name="accounts_account_key"),
)

ACCOUNT_CHANGES = Table(
    "account_changes",
    METADATA,
    Column("account_key", BigInteger, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("from_status", Text, nullable=False),
    Column("to_status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("changed_at", _TIME, nullable=False),
)

CLAIMS = Table(
    "claims",
    METADATA,
    Column("reference", Text, primary_key=True),
    Column("transaction_id", Uuid),
    Column("closed_reason", Text),
)

TRANSACTIONS = Table(
    "transactions",
    METADATA,
    Column("transaction_id", Uuid, primary_key=True),
    Column("created_at", _TIME, nullable=False),
    Column("effective_at", _TIME, nullable=False),
    Column("expires_at", _TIME),
    Column("kind", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("reverses_reference", Text),
    Column("resolves_reference", Text),
    Column("template", Text),
    Column("hash", LargeBinary, nullable=False),
    Index("transactions_subject_id", "subject_id", "transaction_id"),
    Index(
        "transactions_reverses_reference",
        "reverses_reference",
        postgresql_where=text("reverses_reference IS NOT NULL"),
    ),
    Index(
        "transactions_shifted",
        "effective_at",
        "transaction_id",
        postgresql_where=text("effective_at <> created_at"),
    ),
)

ENTRIES = Table(
    "entries",
    METADATA,
    Column("account_key", BigInteger, primary_key=True),
    Column("transaction_id", Uuid, primary_key=True),
    Column("line", SmallInteger, primary_key=True),
    Column("is_debit", Boolean, nullable=False),
    Column("account_sequence", BigInteger, nullable=False),
    Column("amount", _AMOUNT, nullable=False),
    Column("balance_after", _AMOUNT, nullable=False),
    Index("entries_transaction_id", "transaction_id", "line", unique=True),
)

PENDING_LINES = Table(
    "pending_lines",
    METADATA,
    Column("transaction_id", Uuid, primary_key=True),
    Column("line", SmallInteger, primary_key=True),
    Column("account_key", BigInteger, nullable=False),
    Column("is_debit", Boolean, nullable=False),
    Column("amount", _AMOUNT, nullable=False),
)

OPEN_PENDINGS = Table(
    "open_pendings",
    METADATA,
    Column("reference", Text, primary_key=True),
    Column("expires_at", _TIME),
    Column("transaction_id", Uuid),
    Index("open_pendings_expires_at", "expires_at"),
    Index("open_pendings_transaction_id", "transaction_id"),
)

STREAMS = Table(
    "streams",
    METADATA,
    Column("stream", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("written_at", _TIME, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("leased_until", _TIME, nullable=False),
)

SEALS = Table(
    "seals",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("sealed_at", _TIME, nullable=False),
    Column("heads", JSONB, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("until", _TIME, nullable=False),
    Column("made_at", _TIME, nullable=False),
    Column("heads", JSONB, nullable=False),
    Column("transaction_count", BigInteger, nullable=False),
    Column("entry_count", BigInteger, nullable=False),
    Column("effective_until", _TIME, nullable=False),
    Column("balances_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    UniqueConstraint("until", name="checkpoints_until"),
)

CHECKPOINT_BALANCES = Table(
    "checkpoint_balances",
    METADATA,
    Column("account_key", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("balance", _AMOUNT, nullable=False),
    Column("entry_count", BigInteger, nullable=False),
    Index("checkpoint_balances_number", "number", "account_key"),
)

ARCHIVES = Table(
    "archives",
    METADATA,
    Column("part", Text, primary_key=True),
    Column("parent", Text, nullable=False),
    Column("lower_id", Uuid),
    Column("upper_id", Uuid, nullable=False),
    Column("until", _TIME, nullable=False),
    Column("archived_at", _TIME, nullable=False),
    Index("archives_until", "until"),
)

audit_log.describe(METADATA)
