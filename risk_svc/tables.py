"""The schema of the risk database. The migrations make it; a test holds the two together."""

from sqlalchemy import Column, DateTime, MetaData, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

METADATA = MetaData()

ASSESSMENTS = Table(
    "assessments",
    METADATA,
    Column("payment_id", Text, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("rule_hits", JSONB, nullable=False),
    Column("amount", Numeric(19, 4), nullable=False),
    Column("currency", Text, nullable=False),
    Column("counts", JSONB, nullable=False),
    Column("assessed_at", DateTime(timezone=True), nullable=False),
)
