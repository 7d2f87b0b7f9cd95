"""The schema of the gateway's database, as the migrations leave it (a test compares the two)."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
)

METADATA = MetaData()

ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("attempt_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("payment_id", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("psp", Text, nullable=False),
    Column("amount", Numeric(19, 4), nullable=False),
    Column("currency", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("charge_attempt_id", Text, nullable=False),
    Column("charge_reference", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("stage", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("delivery", Text, nullable=False),
    Column("psp_reference", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("psp_code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("redirect_url", Text, nullable=False),
    Column("request_count", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("sent_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("psps_tried", Text, nullable=False),
    Index("attempts_payment_id", "payment_id", "created_at"),
    Index("attempts_charge_attempt_id", "charge_attempt_id"),
)

ATTEMPT_EVENTS = Table(
    "attempt_events",
    METADATA,
    Column("event_id", BigInteger, Identity(always=True), primary_key=True),
    Column("attempt_id", Text, ForeignKey("attempts.attempt_id"), nullable=False),
    Column("operation", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("trace", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("psp_code", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("attempt_events_attempt_id", "attempt_id"),
)
